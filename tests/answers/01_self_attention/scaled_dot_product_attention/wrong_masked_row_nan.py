"""Mistake: a query without keys gives NaN.
Message: NaN
"""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scale = query.size(-1) ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
