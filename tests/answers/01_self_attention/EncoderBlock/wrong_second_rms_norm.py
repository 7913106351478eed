"""Mistake: the second norm is an RMSNorm with a shift.
Message: LayerNorm, not RMSNorm
"""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
from torch import nn


class Root(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return self.gain * x / x.square().mean(-1, keepdim=True).add(1e-5).sqrt() + self.shift


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.dropout = nn.Dropout(dropout)
        self.norm2 = Root(d_model)

    def forward(self, x, attn_mask=None):
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.ffn(self.norm2(x)))
        return x, weights
