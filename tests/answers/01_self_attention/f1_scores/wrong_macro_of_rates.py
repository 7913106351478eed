"""Mistake: macro from the mean precision and the mean recall.
Message: macro
"""

import numpy as np


def f1_scores(labels, predictions):
    y = np.asarray(labels) > 0
    p = np.asarray(predictions) > 0
    tp = (y & p).sum(0)
    wrong = (y ^ p).sum(0)

    def f1(hits, errors):
        return 2 * hits / (2 * hits + errors) if hits else 0.0

    per_class = [f1(h, e) for h, e in zip(tp, wrong)]
    precision = (tp / np.maximum(p.sum(0), 1)).mean()
    recall = (tp / np.maximum(y.sum(0), 1)).mean()
    macro = 2 * precision * recall / max(precision + recall, 1e-12)
    return {
        "micro": f1(tp.sum(), wrong.sum()),
        "macro": macro,
        "per_class": per_class,
    }
