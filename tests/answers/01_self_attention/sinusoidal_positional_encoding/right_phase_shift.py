"""A cosine is a sine a quarter turn ahead; complex numbers would do as well."""

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    column = torch.arange(d_model, dtype=torch.float64)
    pair = torch.div(column, 2, rounding_mode="floor")
    angle = torch.arange(max_len)[:, None] / torch.pow(10000.0, 2 * pair / d_model)
    return torch.sin(angle + (column % 2) * torch.pi / 2).to(torch.float32)
