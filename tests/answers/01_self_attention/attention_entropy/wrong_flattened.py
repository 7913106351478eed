"""Mistake: one entropy over queries and keys together.
Message: shape
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).flatten(-2).sum(-1)
