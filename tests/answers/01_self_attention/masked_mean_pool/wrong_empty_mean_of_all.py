"""Mistake: a row without tokens gives the mean of its padding.
Message: without
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    keep = torch.where(keep.any(1, keepdim=True), keep, torch.ones_like(keep))
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)
