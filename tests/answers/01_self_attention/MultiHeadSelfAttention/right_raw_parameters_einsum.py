"""Raw parameters of shape (H, D, D/H), einsum, zero-initialised output map."""

import torch
import torch.nn.functional as F
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{num_heads} heads do not divide d_model {d_model}")
        width = d_model // num_heads
        self.width, self.dropout = width, dropout
        self.w_q = nn.Parameter(torch.randn(num_heads, d_model, width) / d_model**0.5)
        self.w_k = nn.Parameter(torch.randn(num_heads, d_model, width) / d_model**0.5)
        self.w_v = nn.Parameter(torch.randn(num_heads, d_model, width) / d_model**0.5)
        self.b_q = nn.Parameter(torch.zeros(num_heads, 1, width))
        self.w_o = nn.Parameter(torch.zeros(num_heads, width, d_model))

    def forward(self, x, attn_mask=None):
        q = torch.einsum("btd,hde->bhte", x, self.w_q) + self.b_q
        k = torch.einsum("btd,hde->bhte", x, self.w_k)
        v = torch.einsum("btd,hde->bhte", x, self.w_v)
        scores = torch.einsum("bhte,bhse->bhts", q, k) / self.width**0.5
        if attn_mask is None:
            weights = scores.softmax(-1)
        else:
            scores = torch.where(attn_mask, scores, torch.finfo(scores.dtype).min)
            weights = torch.where(attn_mask, scores.softmax(-1), 0.0)
        dropped = F.dropout(weights, self.dropout, self.training)
        return torch.einsum("bhts,bhse,hed->btd", dropped, v, self.w_o), weights
