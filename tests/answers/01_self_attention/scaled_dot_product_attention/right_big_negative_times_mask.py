"""A large negative number, and the weights multiplied by the mask."""

import torch.nn.functional as F


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    if scale is None:
        scale = query.shape[-1] ** -0.5
    scores = (query * scale) @ key.swapaxes(-1, -2)
    if attn_mask is None:
        weights = F.softmax(scores, dim=-1)
    else:
        weights = F.softmax(scores.masked_fill(attn_mask.logical_not(), -1e9), dim=-1) * attn_mask
    return weights @ value, weights
