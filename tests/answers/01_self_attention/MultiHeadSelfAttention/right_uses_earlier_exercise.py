"""Calls the first exercise; fused projection without bias."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{d_model=} {num_heads=}")
        self.h, self.p = num_heads, dropout
        self.in_proj = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x, attn_mask=None):
        b, t, d = x.shape
        q, k, v = self.in_proj(x).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        context, weights = scaled_dot_product_attention(q, k, v, attn_mask)
        if self.p and self.training:
            context = nn.functional.dropout(weights, self.p, training=True) @ v
        return self.out_proj(context.transpose(1, 2).flatten(2)), weights
