"""The context from torch's fused attention in evaluation, weights by hand."""

import torch
import torch.nn.functional as F
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    """Fused attention is allowed here; only `nn.MultiheadAttention` is not."""

    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model} / num_heads {num_heads} is not whole")
        self.num_heads = num_heads
        self.qkv = nn.ModuleDict({n: nn.Linear(d_model, d_model) for n in "qkvo"})
        self.drop = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        b, t, d = x.shape
        q, k, v = (
            self.qkv[n](x).reshape(b, t, self.num_heads, d // self.num_heads).permute(0, 2, 1, 3)
            for n in "qkv"
        )
        scores = q @ k.mT / (d / self.num_heads) ** 0.5
        if attn_mask is not None:
            scores = scores.masked_fill(torch.logical_not(attn_mask), float("-inf"))
        weights = torch.nan_to_num(F.softmax(scores, -1))
        if self.training:
            context = self.drop(weights) @ v
        else:
            mask = None if attn_mask is None else attn_mask.expand(b, self.num_heads, t, t)
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.qkv["o"](context.permute(0, 2, 1, 3).reshape(b, t, d)), weights
