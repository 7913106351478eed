"""Mistake: the mean over the keys.
Message: sum
"""

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).mean(-1)
