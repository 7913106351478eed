"""Mistake: drops weights at random.
Message: random
"""

import math

import torch
import torch.nn.functional as F


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
        alive = attn_mask.any(-1, keepdim=True)
        scores = scores.masked_fill(~alive, 0.0)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = weights.masked_fill(~alive, 0.0)
    weights = F.dropout(weights, 0.1)
    return weights @ value, weights
