"""Mistake: weights below 1e-3 are ignored.
Message: entropy
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights) * (weights >= 1e-3).sum(-1)
