"""Mistake: half of the gradient of the returned weights is cut off
Message: gradient of weights is not its slope
"""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide {d_model}")
        self.heads = num_heads
        self.drop = nn.Dropout(dropout)
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, attn_mask=None):
        b, t, d = x.shape
        q, k, v = (m(x).view(b, t, self.heads, -1).transpose(1, 2) for m in (self.wq, self.wk, self.wv))
        scores = q @ k.mT / math.sqrt(d / self.heads)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, torch.finfo(x.dtype).min)
        weights = scores.softmax(-1)
        if attn_mask is not None:
            weights = weights * attn_mask
        context = self.drop(weights) @ v
        return self.wo(context.transpose(1, 2).reshape(b, t, d)), 0.5 * weights + 0.5 * weights.detach()
