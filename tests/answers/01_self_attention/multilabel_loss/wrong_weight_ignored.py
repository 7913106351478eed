"""Mistake: pos_weight is ignored.
Message: pos_weight
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        pass
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
