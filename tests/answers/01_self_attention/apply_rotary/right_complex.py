"""Pairs as complex numbers, turned by multiplication."""

import torch


def apply_rotary(x, positions, base=10000.0):
    if x.shape[-1] % 2 == 1:
        raise ValueError("odd width")
    d = x.shape[-1]
    rates = torch.pow(torch.tensor(base, dtype=torch.float64), -torch.arange(0, d, 2) / d)
    angles = torch.outer(positions.double(), rates)
    turn = torch.polar(torch.ones_like(angles), angles)
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], d // 2, 2).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)
