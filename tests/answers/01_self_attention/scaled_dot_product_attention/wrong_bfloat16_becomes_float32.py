"""Mistake: the softmax is taken in single precision and left there
Message: keep the input
"""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.einsum("...td,...sd->...ts", query, key) * factor
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    exact = scores.dtype if scores.dtype == torch.float64 else torch.float32
    weights = torch.softmax(scores, -1, dtype=exact)
    if attn_mask is not None:
        weights = weights * attn_mask
    return weights.to(value) @ value, weights
