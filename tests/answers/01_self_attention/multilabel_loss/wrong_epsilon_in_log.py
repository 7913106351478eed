"""Mistake: an epsilon inside the logarithm.
Message: 1000
"""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * -torch.log(torch.sigmoid(logits) + 1e-12)
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * -torch.log(1 - torch.sigmoid(logits) + 1e-12)
    return (positive + negative).mean()
