"""Column by column into an empty table."""

import torch


def sinusoidal_positional_encoding(max_len, d_model):
    with torch.no_grad():
        table = torch.empty(max_len, d_model)
        p = torch.arange(0, max_len).float()
        for c in range(d_model):
            wave = torch.cos if c % 2 else torch.sin
            table[:, c] = wave(p / 10000 ** ((c - c % 2) / d_model))
        return table
