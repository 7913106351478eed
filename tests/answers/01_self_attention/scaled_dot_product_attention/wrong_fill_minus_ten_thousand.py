"""Mistake: -1e4 lies above real scores that are lower
Message: above some real scores
"""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.einsum("...td,...sd->...ts", query, key) * factor
    if attn_mask is not None:
        scores = torch.where(attn_mask, scores, torch.full_like(scores, -1e4))
    weights = torch.softmax(scores, -1)
    if attn_mask is not None:
        weights = weights * attn_mask
    return weights @ value, weights
