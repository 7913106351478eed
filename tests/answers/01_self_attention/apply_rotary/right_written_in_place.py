"""Fills a new tensor column by column; a copy, not x itself."""

import torch


def apply_rotary(x, positions, base=10000.0):
    d = x.shape[-1]
    if d % 2:
        raise ValueError(d)
    theta = positions.to(torch.float32).view(-1, 1) * torch.pow(base, -torch.arange(0.0, d, 2.0) / d)
    out = torch.empty_like(x)
    out[..., 0::2] = (x[..., 0::2] * theta.cos() - x[..., 1::2] * theta.sin()).to(x.dtype)
    out[..., 1::2] = (x[..., 1::2] * theta.cos() + x[..., 0::2] * theta.sin()).to(x.dtype)
    return out
