"""Mistake: a float64 pos_weight makes a float64 loss of float32 logits
Message: leaks into the loss
"""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    y = labels.to(logits.dtype)
    missed = y * F.softplus(-logits)
    if pos_weight is not None:
        missed = missed * pos_weight
    return (missed + (1 - y) * F.softplus(logits)).mean()
