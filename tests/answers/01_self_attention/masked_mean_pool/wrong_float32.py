"""Mistake: float64 comes back as float32.
Message: float64
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(torch.float32)
    return (x.float() * keep).sum(1) / keep.sum(1).clamp(min=1)
