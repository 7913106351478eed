"""Mistake: float64 comes back as float32.
Message: float64
"""

import torch


def attention_entropy(weights):
    weights = weights.float()
    return -torch.xlogy(weights, weights).sum(-1)
