"""Mistake: fills the caller's scores.
Message: chang
"""

import torch


def masked_softmax(scores, mask):
    weights = scores.masked_fill_(~mask, -torch.inf).softmax(-1)
    return weights.masked_fill(~mask, 0.0)
