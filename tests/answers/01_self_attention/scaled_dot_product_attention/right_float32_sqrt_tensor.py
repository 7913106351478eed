"""The square root as a tensor; softmax along the last of however many dimensions."""

import torch
from torch import nn


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scores = torch.tensordot(query, key, dims=([-1], [-1])) if query.dim() == 1 else query @ key.mT
    if scale is None:
        scores = scores / torch.sqrt(torch.tensor(query.shape[-1]))
    else:
        scores = scores * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min / 2)
    weights = nn.Softmax(dim=scores.dim() - 1)(scores)
    if attn_mask is not None:
        weights = torch.where(attn_mask, weights, torch.zeros_like(weights))
    context = weights @ value
    return context, weights
