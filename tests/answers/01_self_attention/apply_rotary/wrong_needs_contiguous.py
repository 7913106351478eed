"""Mistake: memory must be contiguous.
Message: stride
"""

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.size(-1)
    if d % 2:
        raise ValueError(f"an even number of features, not {d}")
    rate = base ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
    angle = positions[:, None] * rate
    cos, sin = angle.cos(), angle.sin()
    pairs = torch.view_as_complex(x.double().view(*x.shape[:-1], d // 2, 2))
    first, second = pairs.real, pairs.imag
    out = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return out.flatten(-2).to(x.dtype)
