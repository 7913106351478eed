"""Mistake: wraps nn.MultiheadAttention.
Message: MultiheadAttention
"""

from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model}, num_heads={num_heads}")
        self.num_heads = num_heads
        self.attention = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)

    def forward(self, x, attn_mask=None):
        b, t, _ = x.shape
        if attn_mask is not None:
            attn_mask = ~attn_mask.expand(b, self.num_heads, t, t).reshape(-1, t, t)
        return self.attention(
            x, x, x, attn_mask=attn_mask, need_weights=True, average_attn_weights=False
        )
