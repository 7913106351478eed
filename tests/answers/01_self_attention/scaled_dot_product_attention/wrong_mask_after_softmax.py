"""Mistake: the mask multiplies the weights after the softmax, without renormalising.
Message: sum to
"""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scale = query.size(-1) ** -0.5 if scale is None else scale
    weights = torch.softmax(query @ key.transpose(-2, -1) * scale, dim=-1)
    if attn_mask is not None:
        weights = weights * attn_mask
    return weights @ value, weights
