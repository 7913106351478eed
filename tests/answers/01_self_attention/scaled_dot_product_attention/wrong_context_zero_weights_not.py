"""Mistake: only the context of a query without keys is set to zero, its weights are not.
Message: weights
"""

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scale = query.size(-1) ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -1e9)
    weights = torch.softmax(scores, dim=-1)
    context = weights @ value
    if attn_mask is not None:
        context = context * attn_mask.any(-1, keepdim=True)
    return context, weights
