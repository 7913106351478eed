"""Leading dimensions flattened into one, torch.baddbmm, softmax in double precision."""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    lead = query.shape[:-2]
    q, k, v = (z.reshape(-1, *z.shape[-2:]) for z in (query, key, value))
    alpha = query.shape[-1] ** -0.5 if scale is None else scale
    scores = torch.bmm(q, k.transpose(1, 2)).mul(alpha).reshape(*lead, q.shape[1], k.shape[1])
    if attn_mask is not None:
        dead = torch.logical_not(attn_mask).all(-1, keepdim=True)
        scores = scores.masked_fill(torch.logical_not(attn_mask | dead), -math.inf)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float64).to(query.dtype)
    if attn_mask is not None:
        weights = weights * torch.logical_not(dead)
    context = torch.bmm(weights.reshape(-1, q.shape[1], k.shape[1]), v)
    return context.reshape(*lead, q.shape[1], v.shape[-1]), weights
