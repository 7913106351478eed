"""Mistake: scikit-learn takes a single column for a binary task and scores both its classes.
Message: C = 1
"""

import numpy as np
from sklearn.metrics import f1_score


def f1_scores(labels, predictions):
    labels, predictions = np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)
    return {
        "micro": f1_score(labels, predictions, average="micro", zero_division=0),
        "macro": f1_score(labels, predictions, average="macro", zero_division=0),
        "per_class": f1_score(labels, predictions, average=None, zero_division=0),
    }
