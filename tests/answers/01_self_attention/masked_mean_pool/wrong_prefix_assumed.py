"""Mistake: takes the first n rows, as if tokens always came first.
Message: anywhere
"""

import torch


def masked_mean_pool(x, is_token):
    lengths = is_token.sum(1, keepdim=True)
    is_token = torch.arange(x.size(1)) < lengths
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)
