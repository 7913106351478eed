"""Mistake: computed in half precision: wrong beyond position 100 or so.
Message: precision
"""

import math

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / d_model)
    code = torch.zeros(max_len, d_model)
    code[:, 0::2] = torch.sin(position * rate.half().float())
    code[:, 1::2] = torch.cos(position * rate.half().float())[:, : d_model // 2]
    return code
