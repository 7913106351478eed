"""Mistake: log(1 + exp(z)) overflows.
Message: 1000
"""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * torch.log1p(torch.exp(-logits))
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * torch.log1p(torch.exp(logits))
    return (positive + negative).mean()
