"""Mask and scale by name only."""

import torch


def scaled_dot_product_attention(query, key, value, *, attn_mask=None, scale=None):
    scores = torch.einsum("...td,...sd->...ts", query, key)
    scores = scores * (query.shape[-1] ** -0.5 if scale is None else scale)
    keep = torch.tensor(True) if attn_mask is None else attn_mask
    scores = torch.where(keep, scores, torch.finfo(scores.dtype).min)
    weights = torch.where(keep, torch.softmax(scores, -1), 0.0)
    return weights @ value, weights
