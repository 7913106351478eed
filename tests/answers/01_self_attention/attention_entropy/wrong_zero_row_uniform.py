"""Mistake: a row of zeros counts as ln S.
Message: zero
"""

import math

import torch


def attention_entropy(weights):
    empty = (weights == 0).all(-1)
    entropy = -torch.xlogy(weights, weights).sum(-1)
    return torch.where(empty, math.log(weights.size(-1)), entropy)
