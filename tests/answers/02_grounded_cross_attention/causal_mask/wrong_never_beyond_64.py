"""Mistake: a mask of 64 positions serves every length
Message: shape
"""

import torch

WHOLE = torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()


def causal_mask(length, device=None):
    return WHOLE[..., :length, :length].to(device or "cpu", copy=True)
