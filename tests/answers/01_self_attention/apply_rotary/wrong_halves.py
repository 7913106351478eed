"""Mistake: pairs are features i and i + d/2.
Message: halves
"""

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.size(-1)
    if d % 2:
        raise ValueError(f"an even number of features, not {d}")
    rate = base ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
    angle = positions[:, None] * rate
    cos, sin = angle.cos(), angle.sin()
    first, second = x[..., : d // 2], x[..., d // 2 :]
    out = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return out.to(x.dtype)
