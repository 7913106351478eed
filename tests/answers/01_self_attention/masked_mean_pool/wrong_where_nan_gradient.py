"""Mistake: torch.where picks zero over 0/0: right forwards, NaN backwards.
Message: gradient
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    count = keep.sum(1)
    return torch.where(count > 0, (x * keep).sum(1) / count, 0.0)
