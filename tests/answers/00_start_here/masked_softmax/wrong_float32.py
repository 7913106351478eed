"""Mistake: float64 comes back as float32.
Message: float64
"""

import torch


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1).float()
    return weights.masked_fill(~mask, 0.0)
