"""Mistake: with an odd d_model the last column is a cosine.
Message: odd
"""

import math

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / d_model)
    code = torch.zeros(max_len, d_model)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate)[:, : d_model // 2]
    if d_model % 2:
        code[:, -1] = torch.cos(position * rate)[:, -1]
    return code
