"""Clamps inside the logarithm."""

import torch


def attention_entropy(w):
    tiny = torch.finfo(w.dtype).tiny
    return (w * w.clamp_min(tiny).log()).sum(-1).neg()
