"""Mistake: the logits are clamped to ±50.
Message: clamp
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    logits = logits.clamp(-50, 50)
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
