"""Mistake: the loss takes the labels' dtype.
Message: float32
"""

import torch
import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels if labels.is_floating_point() else labels.float()
    logits = logits.to(torch.promote_types(labels.dtype, logits.dtype))
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
