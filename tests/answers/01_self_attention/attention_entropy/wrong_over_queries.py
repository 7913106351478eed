"""Mistake: over the queries.
Message: last dimension
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(-2)
