"""Mistake: averages over the heads.
Message: shape
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(-1).mean(1)
