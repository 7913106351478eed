"""Mistake: keeps the counts in the labels' own small dtype, which overflows.
Message: overflow
"""

import numpy as np


def f1_scores(labels, predictions):
    y, p = np.asarray(labels), np.asarray(predictions)
    tp = (y * p).sum(0, dtype=y.dtype)
    tp = tp + 0 if y.dtype != bool else (y & p).sum(0)
    wrong = (y != p).sum(0)

    def f1(hits, errors):
        return 2 * hits / (2 * hits + errors) if hits else 0.0

    per_class = [f1(h, e) for h, e in zip(tp, wrong)]
    return {
        "micro": f1(tp.sum(), wrong.sum()),
        "macro": sum(per_class) / len(per_class),
        "per_class": per_class,
    }
