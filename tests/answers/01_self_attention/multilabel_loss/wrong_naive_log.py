"""Mistake: log of the sigmoid: infinite at large logits.
Message: 1000
"""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * -torch.log(torch.sigmoid(logits))
    if pos_weight is not None:
        positive = positive * pos_weight
    negative = (1 - labels) * -torch.log(1 - torch.sigmoid(logits))
    return (positive + negative).mean()
