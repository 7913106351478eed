"""Mistake: the KL divergence from the uniform distribution.
Message: entropy
"""

import math

import torch


def attention_entropy(weights):
    return (torch.xlogy(weights, weights) + weights * math.log(weights.size(-1))).sum(-1)
