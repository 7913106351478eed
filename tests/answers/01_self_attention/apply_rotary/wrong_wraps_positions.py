"""Mistake: positions beyond 256 start anew.
Message: turned features
"""

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.size(-1)
    if d % 2:
        raise ValueError(f"an even number of features, not {d}")
    rate = base ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
    angle = (positions[:, None] % 256) * rate
    cos, sin = angle.cos(), angle.sin()
    first, second = x[..., 0::2], x[..., 1::2]
    out = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return out.flatten(-2).to(x.dtype)
