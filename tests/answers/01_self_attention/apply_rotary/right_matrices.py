"""A rotation matrix for every position and pair, einsum."""

import math

import torch


def apply_rotary(x, positions, base=10000.0):
    *_, d = x.shape
    if d % 2 != 0:
        raise ValueError("pairs need an even number of features")
    rate = torch.exp(-math.log(base) * torch.arange(0, d, 2).double() / d)
    angle = positions.double().unsqueeze(-1) * rate
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    pairs = x.unflatten(-1, (d // 2, 2)).double()
    return torch.einsum("tipq,...tiq->...tip", turn, pairs).flatten(-2).to(x.dtype)
