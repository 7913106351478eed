"""Dropout inside the feed-forward part as well, GELU, two dropout layers."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attend = MultiHeadSelfAttention(d_model, num_heads, dropout=dropout)
        self.before = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(2)])
        self.drop = nn.ModuleList([nn.Dropout(dropout) for _ in range(2)])
        self.mlp = nn.Sequential(
            nn.Linear(d_model, d_ff), nn.GELU("tanh"), nn.Dropout(dropout), nn.Linear(d_ff, d_model)
        )

    def forward(self, x, attn_mask=None):
        y, weights = self.attend(self.before[0](x), attn_mask=attn_mask)
        z = self.drop[0](y).add(x)
        return self.drop[1](self.mlp(self.before[1](z))).add(z), weights
