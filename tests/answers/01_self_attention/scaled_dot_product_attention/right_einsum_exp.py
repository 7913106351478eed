"""Einsum, and a softmax written by hand with the maximum taken out."""

import torch


def scaled_dot_product_attention(q, k, v, attn_mask=None, scale=None):
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    scores = factor * torch.einsum("...td,...sd->...ts", q, k)
    if attn_mask is None:
        attn_mask = torch.ones_like(scores, dtype=torch.bool)
    keep = attn_mask.expand(scores.shape)
    lowest = torch.finfo(scores.dtype).min
    top = scores.masked_fill(~keep, lowest).amax(-1, keepdim=True).detach()
    raised = (scores - top).masked_fill(~keep, lowest).exp() * keep
    weights = raised / raised.sum(-1, keepdim=True).clamp(min=1.0)
    return torch.einsum("...ts,...sv->...tv", weights, v), weights
