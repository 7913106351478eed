"""Mistake: exp of the entropy.
Message: exp
"""

import torch


def attention_entropy(weights):
    return torch.exp(-torch.xlogy(weights, weights).sum(-1))
