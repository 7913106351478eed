"""A pandas frame and a tiny number in the denominator."""

import numpy as np
import pandas as pd


def f1_scores(labels, predictions):
    y, p = pd.DataFrame(np.asarray(labels, float)), pd.DataFrame(np.asarray(predictions, float))
    tp = (y * p).sum()
    denominator = y.sum() + p.sum()
    per_class = 2 * tp / (denominator + 1e-12)
    micro = 2 * tp.sum() / (denominator.sum() + 1e-12)
    return dict(micro=micro, macro=per_class.mean(), per_class=per_class)
