"""Two log-sigmoids, weights as ones when none are given."""

import torch
import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    if pos_weight is None:
        pos_weight = torch.ones(logits.shape[1])
    y = labels.type_as(logits)
    w = pos_weight.type_as(logits)
    return -(w * y * F.logsigmoid(logits) + (1 - y) * F.logsigmoid(-logits)).mean()
