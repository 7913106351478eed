"""Mistake: boolean labels crash, one minus a boolean is not defined.
Message: bool
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
