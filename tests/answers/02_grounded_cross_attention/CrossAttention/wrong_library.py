"""Mistake: the library's own attention.
Message: library
"""

class CrossAttention(layers.MultiHeadAttention):
    def forward(self, text, image, attn_mask=None):
        return super().forward(text, image, attn_mask=attn_mask, need_weights=True)
