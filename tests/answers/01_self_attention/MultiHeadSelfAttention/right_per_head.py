"""Every head is a module of its own; concatenated at the end."""

import torch
from torch import nn


class OneHead(nn.Module):
    def __init__(self, d_model, d_head, dropout):
        super().__init__()
        self.q = nn.Linear(d_model, d_head)
        self.k = nn.Linear(d_model, d_head, bias=False)
        self.v = nn.Linear(d_model, d_head)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask):
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = torch.einsum("btd,bsd->bts", q, k) * q.shape[-1] ** -0.5
        keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand_as(scores)
        weights = torch.softmax(scores.masked_fill(~keep, -1e30), -1) * keep
        return self.drop(weights) @ v, weights


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        super().__init__()
        self.heads = nn.ModuleList(
            OneHead(d_model, d_model // num_heads, dropout) for _ in range(num_heads)
        )
        self.mix = nn.Linear(d_model, d_model)

    def forward(self, x, attn_mask=None):
        if attn_mask is not None:
            shape = (x.shape[0], len(self.heads), x.shape[1], x.shape[1])
            attn_mask = attn_mask.broadcast_to(shape)
        contexts, weights = [], []
        for h, head in enumerate(self.heads):
            context, weight = head(x, None if attn_mask is None else attn_mask[:, h])
            contexts.append(context)
            weights.append(weight)
        return self.mix(torch.cat(contexts, -1)), torch.stack(weights, 1)
