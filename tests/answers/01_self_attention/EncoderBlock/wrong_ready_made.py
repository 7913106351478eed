"""Mistake: nn.MultiheadAttention.
Message: MultiheadAttention
"""

from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("heads")
        self.attention = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        y = self.norm1(x)
        mask = None if attn_mask is None else ~attn_mask.expand(len(x), -1, -1, x.size(1))[:, 0, 0]
        attended, weights = self.attention(y, y, y, key_padding_mask=mask, average_attn_weights=False)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.ffn(self.norm2(x)))
        return x, weights
