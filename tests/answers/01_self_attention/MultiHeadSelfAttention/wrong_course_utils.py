"""Mistake: wraps the course's own layer.
Message: ready-made
"""

from torch import nn

from course_utils import layers


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.attention = layers.MultiHeadAttention(d_model, num_heads, dropout=dropout)

    def forward(self, x, attn_mask=None):
        return self.attention(x, attn_mask=attn_mask, need_weights=True)
