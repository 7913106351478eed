"""Mistake: the logarithm of the softmax.
Message: log
"""

import torch


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, -torch.inf).log_softmax(-1)
    return weights.masked_fill(~mask, 0.0)
