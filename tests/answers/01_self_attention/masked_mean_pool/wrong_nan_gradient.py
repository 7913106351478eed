"""Mistake: NaN is wiped off the output, but not off the gradient.
Message: gradient
"""

import torch


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return torch.nan_to_num((x * keep).sum(1) / keep.sum(1))
