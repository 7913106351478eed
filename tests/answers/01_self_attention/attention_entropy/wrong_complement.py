"""Mistake: adds the entropy of the complement, as for a binary variable.
Message: entropy
"""

import torch


def attention_entropy(weights):
    return -(torch.xlogy(weights, weights) + torch.xlogy(1 - weights, 1 - weights)).sum(-1)
