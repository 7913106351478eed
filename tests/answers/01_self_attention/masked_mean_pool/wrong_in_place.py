"""Mistake: sets the caller's padding to zero.
Message: chang
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    with torch.no_grad():
        x[~is_token] = 0
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)
