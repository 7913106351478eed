"""Mistake: nn.MultiheadAttention's mask has the opposite meaning.
Message: may attend
"""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{d_model} {num_heads}")
        self.inner = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.h = num_heads

    def forward(self, text, image, attn_mask=None):
        if attn_mask is not None:
            attn_mask = attn_mask.expand(len(text), self.h, text.shape[1], image.shape[1]).flatten(0, 1)
        out, weights = self.inner(text, image, image, attn_mask=attn_mask, average_attn_weights=False)
        return out, weights
