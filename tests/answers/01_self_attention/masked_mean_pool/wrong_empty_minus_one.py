"""Mistake: a row without tokens gets -1.
Message: zero
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    pooled = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
    return torch.where(is_token.any(1, keepdim=True), pooled, -1.0)
