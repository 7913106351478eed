"""Mistake: masks after the softmax and divides by the sum plus 1e-3.
Message: attn_mask
"""

import math


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        alive = attn_mask.any(-1, keepdim=True)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = weights * attn_mask
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-3)
    return weights @ value, weights
