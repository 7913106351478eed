"""Mistake: minus infinity is added and the NaN wiped off the output, but not off the gradient.
Message: gradient
"""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scale = query.size(-1) ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        penalty = torch.zeros(attn_mask.shape).masked_fill(~attn_mask, -torch.inf)
        scores = scores + penalty.to(scores.dtype)
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ value, weights
