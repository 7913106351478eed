"""Every query is given a dummy key that only rows without keys can see."""

import math

import torch


def scaled_dot_product_attention(query, key, value, attn_mask=None, scale=None):
    scores = torch.einsum("...td,...sd->...ts", query, key)
    scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if attn_mask is not None:
        keep = attn_mask.expand(scores.shape)
        scores = scores.masked_fill(~keep, -torch.inf)
        dummy = scores.new_zeros(*scores.shape[:-1], 1)
        dummy = dummy.masked_fill(keep.any(-1, keepdim=True), -torch.inf)
        scores = torch.cat([scores, dummy], -1)
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    weights = weights[..., : key.shape[-2]]
    return torch.matmul(weights, value), weights
