"""Mistake: no positives and none predicted counts as perfect in micro only.
Message: micro
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
    return {
        "micro": (f1(tp.sum(), wrong.sum()) if (y | p).any() else 1.0),
        "macro": sum(per_class) / len(per_class),
        "per_class": per_class,
    }
