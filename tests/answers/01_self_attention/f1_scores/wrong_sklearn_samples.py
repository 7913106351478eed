"""Mistake: scikit-learn's average over samples.
Message: macro
"""

import numpy as np
from sklearn.metrics import f1_score


def f1_scores(labels, predictions):
    labels, predictions = np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)
    one = [f1_score(a, b, zero_division=0) for a, b in zip(labels.T, predictions.T)]
    return {
        "micro": f1_score(labels.ravel(), predictions.ravel(), zero_division=0),
        "macro": float(np.mean([f1_score(a, b, zero_division=0) for a, b in zip(labels, predictions)])),
        "per_class": one,
    }
