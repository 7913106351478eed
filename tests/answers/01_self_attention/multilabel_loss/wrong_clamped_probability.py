"""Mistake: the probability is clamped: finite, but 16 in place of 1000, and no gradient.
Message: clamp
"""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    labels = labels.to(logits.dtype)
    positive = labels * -torch.log(p)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * -torch.log(1 - p)
    return (positive + negative).mean()
