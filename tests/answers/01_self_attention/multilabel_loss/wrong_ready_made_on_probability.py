"""Mistake: torch's cross-entropy on the sigmoid.
Message: ready-made
"""

import torch
import torch.nn.functional as F


def multilabel_loss(logits, labels, pos_weight=None):
    labels = labels.to(logits.dtype)
    weight = None if pos_weight is None else 1 + (pos_weight - 1) * labels
    return F.binary_cross_entropy(torch.sigmoid(logits), labels, weight=weight)
