"""torch.where at padding, torch.maximum for the count."""

import torch


def masked_mean_pool(x, is_token):
    total = torch.where(is_token[..., None], x, torch.zeros_like(x)).sum(dim=-2)
    count = is_token.sum(dim=-1, keepdim=True)
    return total / torch.maximum(count, torch.ones_like(count))
