"""Row by row and pair by pair."""

import math

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.size(-1)
    if d % 2:
        raise ValueError(f"{d} features cannot be paired")
    columns = []
    for i in range(d // 2):
        angle = [p * base ** (-2 * i / d) for p in positions.tolist()]
        cos = torch.tensor([math.cos(a) for a in angle], dtype=torch.float64)
        sin = torch.tensor([math.sin(a) for a in angle], dtype=torch.float64)
        a, b = x[..., 2 * i].double(), x[..., 2 * i + 1].double()
        columns += [a * cos - b * sin, a * sin + b * cos]
    return torch.stack(columns, dim=-1).to(x.dtype)
