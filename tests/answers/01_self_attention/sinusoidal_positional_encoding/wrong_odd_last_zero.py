"""Mistake: with an odd d_model the last column stays zero.
Message: odd
"""

import math

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / d_model)
    code = torch.zeros(max_len, d_model)
    half = d_model // 2
    code[:, 0 : 2 * half : 2] = torch.sin(position * rate)[:, :half]
    code[:, 1::2] = torch.cos(position * rate)[:, :half]
    return code
