"""Mistake: a softmax over the weights first.
Message: softmax
"""

import torch


def attention_entropy(weights):
    weights = weights.softmax(-1)
    return -torch.xlogy(weights, weights).sum(-1)
