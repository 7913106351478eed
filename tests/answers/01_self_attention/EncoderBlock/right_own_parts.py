"""Own layer norm and own attention, no biases in the maps."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
import torch.nn.functional as F
from torch import nn


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.both = nn.Parameter(torch.stack([torch.ones(width), torch.zeros(width)]))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        size = centred.square().mean(-1, keepdim=True).add(1e-6).sqrt()
        return centred / size * self.both[0] + self.both[1]


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide {d_model}")
        self.heads, self.rate = num_heads, dropout
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        self.first, self.second = Norm(d_model), Norm(d_model)
        self.up = nn.Parameter(torch.randn(d_model, d_ff) / d_model**0.5)
        self.down = nn.Parameter(torch.randn(d_ff, d_model) / d_ff**0.5)

    def drop(self, x):
        return F.dropout(x, self.rate, self.training)

    def forward(self, x, attn_mask=None):
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        _, weights = scaled_dot_product_attention(q, k, v, attn_mask)
        context = (self.drop(weights) @ v).transpose(1, 2).flatten(2)
        x = x + self.drop(self.out(context))
        return x + self.drop(torch.relu(self.second(x) @ self.up) @ self.down), weights
