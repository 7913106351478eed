"""Mistake: rows are renormalised first.
Message: normalis
"""

import torch


def attention_entropy(weights):
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-12)
    return -torch.xlogy(weights, weights).sum(-1)
