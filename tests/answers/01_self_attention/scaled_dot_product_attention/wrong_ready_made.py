"""Mistake: calls torch's own attention.
Message: ready-made
"""

import torch
import torch.nn.functional as F


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    context = F.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask, scale=scale)
    n_keys = key.size(-2)
    eye = torch.eye(n_keys, dtype=value.dtype).expand(*value.shape[:-2], n_keys, n_keys)
    weights = F.scaled_dot_product_attention(query, key, eye, attn_mask=attn_mask, scale=scale)
    return context, weights
