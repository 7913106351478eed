"""Positive and negative entries picked out by index."""

import torch
import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    hit = labels.bool()
    weights = torch.ones_like(logits)
    if pos_weight is not None:
        weights = weights * pos_weight.to(logits.dtype)
    missed = (F.softplus(-logits[hit]) * weights[hit]).sum()
    false_alarm = F.softplus(logits[~hit]).sum()
    return (missed + false_alarm) / logits.numel()
