"""Mistake: -1e6 lies above real scores that are lower
Message: filled with a number above
"""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.einsum("...td,...sd->...ts", query, key) * factor
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -1e6)
    weights = torch.softmax(scores, -1)
    if attn_mask is not None:
        weights = weights * attn_mask
    return weights @ value, weights
