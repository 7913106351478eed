"""Mistake: the keys are taken for the fourth dimension.
Message: dimension
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(3)
