"""Two softplus terms."""

import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)
    if pos_weight is not None:
        positive = positive * pos_weight.type_as(positive)
    negative = (1 - labels) * F.softplus(logits)
    return (positive + negative).mean()
