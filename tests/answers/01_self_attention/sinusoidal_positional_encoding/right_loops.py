"""Two loops and math.sin."""

import math

import torch


def sinusoidal_positional_encoding(max_len: int, d_model: int) -> torch.Tensor:
    rows = []
    for p in range(max_len):
        row = []
        for column in range(d_model):
            angle = p / 10000 ** (2 * (column // 2) / d_model)
            row.append(math.sin(angle) if column % 2 == 0 else math.cos(angle))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float32)
