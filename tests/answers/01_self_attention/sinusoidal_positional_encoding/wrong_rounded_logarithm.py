"""Mistake: the logarithm of 10000 rounded to two digits.
Message: expected the code
"""

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    position = torch.arange(max_len).unsqueeze(1)
    rate = torch.exp(-9.21 * torch.arange(0, d_model, 2) / d_model)
    code = torch.zeros(max_len, d_model)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate)[:, : d_model // 2]
    return code
