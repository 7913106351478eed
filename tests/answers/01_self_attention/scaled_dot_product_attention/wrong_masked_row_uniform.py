"""Mistake: -1e9 makes a query without keys attend evenly to all of them.
Message: no key
"""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scale = query.size(-1) ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -1e9)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
