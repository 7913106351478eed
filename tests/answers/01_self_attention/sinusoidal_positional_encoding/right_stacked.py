"""Stack, flatten, cut the surplus column."""

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    i = torch.arange((d_model + 1) // 2, dtype=torch.float64)
    angles = torch.outer(torch.arange(max_len, dtype=torch.float64), 10000 ** (-2 * i / d_model))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :d_model].to(torch.float32)
