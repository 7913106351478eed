"""Mistake: the mask reaches the first head only.
Message: mask
"""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def split(self, x):
        return x.view(*x.shape[:2], self.num_heads, self.d_head).transpose(1, 2)

    def forward(self, x, attn_mask=None):
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ key.transpose(-2, -1) / math.sqrt(self.d_head)
        if attn_mask is not None:
            keep = attn_mask.expand(scores.shape).clone()
            keep[:, 1:] = True
            scores = scores.masked_fill(~keep, -torch.inf)
        weights = scores.softmax(-1).nan_to_num(0.0)
        context = self.dropout(weights) @ value
        context = context.transpose(1, 2).reshape(x.shape)
        return self.output(context), weights
