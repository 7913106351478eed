"""Two-class cross-entropy over (0, z)."""

import torch
import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    pair = torch.stack([torch.zeros_like(logits), logits], dim=1)
    each = F.cross_entropy(pair, labels.long(), reduction="none")
    if pos_weight is not None:
        pos_weight = pos_weight.to(logits.dtype)
        each = each * torch.where(labels.bool(), pos_weight, torch.ones_like(pos_weight))
    return each.mean()
