"""Mistake: rows of zeros are left out.
Message: raised
"""

import torch


def attention_entropy(weights):
    weights = weights[weights.sum(-1) > 0].reshape(*weights.shape[:-2], -1, weights.size(-1))
    return -torch.xlogy(weights, weights).sum(-1)
