"""Mistake: the transpose is written for three dimensions.
Message: raised
"""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(1, 2) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
        alive = attn_mask.any(-1, keepdim=True)
        scores = scores.masked_fill(~alive, 0.0)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = weights.masked_fill(~alive, 0.0)
    return weights @ value, weights
