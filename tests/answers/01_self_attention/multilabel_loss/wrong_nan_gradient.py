"""Mistake: torch.where chooses the stable branch, the other one sends NaN backwards.
Message: gradient
"""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * torch.where(logits < -30, -logits, torch.log1p(torch.exp(-logits)))
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * torch.where(logits > 30, logits, torch.log1p(torch.exp(logits)))
    return (positive + negative).mean()
