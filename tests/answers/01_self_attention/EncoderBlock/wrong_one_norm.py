"""Mistake: one norm for both branches.
Message: used twice
"""
# ruff: noqa: F821  (an earlier exercise of the notebook)

from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.ffn(self.norm1(x)))
        return x, weights
