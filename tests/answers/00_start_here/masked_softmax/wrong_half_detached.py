"""Mistake: half of the gradient is cut off
Message: gradient of the scores
"""

import torch


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask
    return (weights + weights.detach()) / 2
