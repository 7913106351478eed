"""Head h takes every H-th feature; scaling goes into the query."""

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model // num_heads * num_heads != d_model:
            raise ValueError(f"d_model={d_model}, num_heads={num_heads}")
        self.heads = num_heads
        self.in_weight = nn.Parameter(torch.empty(3, d_model, d_model))
        self.in_bias = nn.Parameter(torch.zeros(3, d_model))
        nn.init.xavier_uniform_(self.in_weight)
        self.last = nn.Linear(d_model, d_model)
        self.attention_dropout = nn.Dropout(dropout)

    def forward(self, x, attn_mask=None):
        q, k, v = (x @ w + b for w, b in zip(self.in_weight, self.in_bias))
        q, k, v = (z.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2) for z in (q, k, v))
        scores = (q * q.size(-1) ** -0.5) @ k.transpose(2, 3)
        if attn_mask is None:
            attn_mask = scores.new_ones((), dtype=torch.bool)
        top = scores.detach().amax(-1, keepdim=True)
        raised = torch.exp(scores - top) * attn_mask
        weights = raised / raised.sum(-1, keepdim=True).clamp_min(1e-30)
        context = self.attention_dropout(weights) @ v
        return self.last(context.permute(0, 2, 3, 1).flatten(2)), weights
