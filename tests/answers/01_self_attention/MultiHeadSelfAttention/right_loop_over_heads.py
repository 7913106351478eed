"""One fused parameter, sliced in a loop over heads."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        if not (d_model / num_heads).is_integer():
            raise ValueError("num_heads does not divide d_model")
        super().__init__()
        self.d, self.h = d_model // num_heads, num_heads
        self.weight = nn.ParameterList(nn.Parameter(torch.zeros(d_model, d_model)) for _ in "qkvo")
        self.drop = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        out, maps = 0, []
        if attn_mask is None:
            attn_mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)
        mask = torch.broadcast_to(attn_mask, (x.shape[0], self.h, x.shape[1], x.shape[1]))
        for i in range(self.h):
            part = slice(i * self.d, (i + 1) * self.d)
            q, k, v = (x @ w[:, part] for w in self.weight[:3])
            context, weights = scaled_dot_product_attention(q, k, v, mask[:, i])
            if self.training:
                context = self.drop(weights) @ v
            out = out + context @ self.weight[3][part]
            maps.append(weights)
        return out, torch.stack(maps, dim=1)
