"""Mistake: what is kept is not divided.
Message: On average
"""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.dropout = nn.Dropout(dropout)

    def kept(self, x):
        return torch.rand_like(x) >= self.dropout.p if self.training else 1

    def forward(self, x, attn_mask=None):
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + attended * self.kept(attended)
        x = x + self.dropout(self.ffn(self.norm2(x)))
        return x, weights
