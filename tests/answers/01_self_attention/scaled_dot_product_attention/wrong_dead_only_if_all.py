"""Mistake: handles a mask that is empty altogether, but not a single empty row.
Message: NaN
"""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
        alive = attn_mask.any(-1, keepdim=True)
        if not attn_mask.any():
            scores = torch.zeros_like(scores)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        if not attn_mask.any():
            weights = torch.zeros_like(weights)
    return weights @ value, weights
