"""Mistake: detached.
Message: gradient
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits.detach())
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits.detach())
    return (0 * logits.sum()) + (positive + negative).mean()
