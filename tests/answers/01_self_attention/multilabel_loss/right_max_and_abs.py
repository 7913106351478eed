"""max(z, 0) - z*y + log(1 + exp(-|z|)), with the weight folded in."""

import torch


def multilabel_loss(z, y, pos_weight=None):
    y = y.to(z)
    weight = 1 + (pos_weight.to(z) - 1) * y if pos_weight is not None else 1
    return torch.mean((1 - y) * z + weight * (torch.log1p(torch.exp(-z.abs())) + torch.relu(-z)))
