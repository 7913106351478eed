"""Mistake: pos_weight multiplies the negative term too.
Message: positive
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    if pos_weight is not None:
        negative = negative * pos_weight
    return (positive + negative).mean()
