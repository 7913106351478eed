"""Mistake: bits.
Message: nat
"""

import math

import torch


def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(-1) / math.log(2)
