"""Weights of 1/n as attention over the tokens, by a batched product."""

import torch


def masked_mean_pool(tokens, mask):
    n = mask.sum(dim=1, keepdim=True)
    weights = torch.where(mask, 1.0 / n.clamp_min(1), 0.0).to(tokens.dtype)
    return torch.bmm(weights[:, None], tokens).squeeze(1)
