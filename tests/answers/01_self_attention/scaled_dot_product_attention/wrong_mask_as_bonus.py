"""Mistake: adds the mask to the scores as it is, 1 and 0.
Message: mask
"""

import math


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores + attn_mask.to(scores.dtype)
        alive = attn_mask.any(-1, keepdim=True)
        scores = scores.masked_fill(~alive, 0.0)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = weights.masked_fill(~alive, 0.0)
    return weights @ value, weights
