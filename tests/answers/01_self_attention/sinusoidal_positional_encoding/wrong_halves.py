"""Mistake: sines in the first half, cosines in the second, not interleaved.
Message: interleave
"""

import math

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / d_model)
    angles = position * rate
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :d_model]
