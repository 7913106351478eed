"""Complex numbers on the unit circle."""

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    pairs = (d_model + 1) // 2
    rate = torch.tensor([10000 ** (-2 * i / d_model) for i in range(pairs)], dtype=torch.float64)
    angle = torch.arange(max_len, dtype=torch.float64).outer(rate)
    wave = torch.view_as_real(torch.polar(torch.ones_like(angle), angle)).flip(-1)
    return wave.flatten(1)[:, :d_model].float().contiguous()
