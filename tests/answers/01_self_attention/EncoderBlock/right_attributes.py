"""Every part by its own name, functional activation."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch.nn.functional as F
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))
        return x, weights
