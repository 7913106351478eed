"""Mistake: float64 logits come back as float32.
Message: float64
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    logits = logits.float()
    labels = labels.float()
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight.float()
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
