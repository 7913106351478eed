"""Mistake: half of the gradient of the scores is cut off
Message: is not its slope
"""

import math

import torch
from torch import nn


class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model}, num_heads={num_heads}")
        self.heads = num_heads
        self.ask, self.label, self.content, self.mix = (nn.Linear(d_model, d_model) for _ in range(4))

    def cut(self, x):
        return x.unflatten(-1, (self.heads, -1)).movedim(2, 1)

    def forward(self, text, image, attn_mask=None):
        q, k, v = self.cut(self.ask(text)), self.cut(self.label(image)), self.cut(self.content(image))
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        scores = (scores + scores.detach()) / 2
        keep = torch.ones(1, dtype=torch.bool) if attn_mask is None else attn_mask
        weights = scores.masked_fill(~keep, torch.finfo(scores.dtype).min).softmax(-1) * keep
        out = self.mix((weights @ v).movedim(1, 2).flatten(2))
        return out, weights
