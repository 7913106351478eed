"""cos * x + sin * (neighbours swapped, one negated), with repeated angles."""

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.size(-1)
    if d & 1:
        raise ValueError(f"d={d} is odd")
    exponent = torch.arange(d) // 2 * 2 / d
    angle = positions.unsqueeze(1).float() / base**exponent
    swapped = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).reshape(x.shape)
    return (x.float() * angle.cos() + swapped.float() * angle.sin()).type_as(x)
