"""Mistake: divided by ln S.
Message: nat
"""

import math

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(-1) / math.log(max(weights.size(-1), 2))
