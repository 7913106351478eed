"""Builds the code itself; embeds by F.embedding; signs only as initial numbers."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        self.pad_id = pad_id
        signs = torch.randint(0, 2, (vocab_size, d_model)) * 2.0 - 1.0
        signs[pad_id] = 0
        self.weight = nn.Parameter(signs / math.sqrt(2 * d_model))
        i = torch.arange((d_model + 1) // 2)
        angles = torch.arange(max_len).unsqueeze(1) / 10000 ** (2 * i / d_model)
        code = torch.stack([angles.sin(), angles.cos()], -1).reshape(max_len, -1)[:, :d_model]
        self.register_buffer("code", code, persistent=False)

    def forward(self, token_ids):
        vectors = F.embedding(token_ids, self.weight, padding_idx=self.pad_id)
        vectors = vectors * math.sqrt(vectors.shape[-1])
        batch, length = token_ids.shape
        return torch.stack([vectors[:, t] + self.code[t] for t in range(length)], dim=1)
