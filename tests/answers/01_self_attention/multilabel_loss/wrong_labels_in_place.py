"""Mistake: smooths the caller's labels in place.
Message: chang
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    labels.mul_(0.9).add_(0.05)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
