"""Mistake: for an odd d_model the exponent divides by d_model - 1.
Message: odd
"""

import math

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / max(d_model - d_model % 2, 1))
    code = torch.zeros(max_len, d_model)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate)[:, : d_model // 2]
    return code
