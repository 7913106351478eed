"""Mistake: the value is right, half of the gradient is cut off.
Message: gradient
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    logits = 0.5 * logits + 0.5 * logits.detach()
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
