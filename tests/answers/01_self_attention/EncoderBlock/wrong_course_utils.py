"""Mistake: the library's own block.
Message: EncoderBlock
"""

from torch import nn

from course_utils import layers


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.block = layers.EncoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm="pre")

    def forward(self, x, attn_mask=None):
        return self.block(x, attn_mask=attn_mask, need_weights=True)
