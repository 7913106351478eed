"""Convolutions of width one for the maps, a lazy output layer."""

import torch
import torch.nn.functional as F
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{d_model} features for {num_heads} heads")
        self.num_heads = num_heads
        self.maps = nn.ModuleList([nn.Conv1d(d_model, d_model, 1) for _ in range(3)])
        self.out = nn.LazyLinear(d_model)
        self.rate = dropout

    def forward(self, x, attn_mask=None):
        q, k, v = (f(x.mT).unflatten(1, (self.num_heads, -1)).mT for f in self.maps)
        root = q.shape[-1] ** 0.25
        scores = (q / root) @ (k / root).mT
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -1e30)
        weights = F.softmax(scores, -1, dtype=torch.float32).to(x.dtype)
        if attn_mask is not None:
            weights = weights * attn_mask
        context = F.dropout(weights, p=self.rate, training=self.training) @ v
        return self.out(context.permute(0, 2, 1, 3).flatten(-2)), weights
