"""Mistake: an epsilon added to every weight.
Message: logarithm
"""

import torch


def attention_entropy(weights):
    weights = weights + 1e-4
    return -torch.xlogy(weights, weights).sum(-1)
