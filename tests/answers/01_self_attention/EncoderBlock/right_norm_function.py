"""F.layer_norm with parameters of its own; the sums written out."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
import torch.nn.functional as F
from torch import nn


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.gains = nn.ParameterList([nn.Parameter(torch.ones(d_model)) for _ in range(2)])
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(d_model)) for _ in range(2)])
        self.hidden, self.last = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.rate = dropout

    def norm(self, x, i):
        return F.layer_norm(x, (x.size(-1),), self.gains[i], self.shifts[i])

    def forward(self, x, attn_mask=None):
        change, weights = self.attention(self.norm(x, 0), attn_mask)
        if self.training:
            change = F.dropout(change, p=self.rate)
        total = x + change
        change = self.last(self.hidden(self.norm(total, 1)).clamp(min=0))
        if self.training:
            change = F.dropout(change, p=self.rate)
        return total + change, weights
