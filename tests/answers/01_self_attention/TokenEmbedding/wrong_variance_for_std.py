"""Mistake: deviation 1/(2 d_model): the variance was passed for the deviation.
Message: variance
"""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import math

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        nn.init.normal_(self.embedding.weight, std=1 / (2 * d_model))
        with torch.no_grad():
            self.embedding.weight[pad_id] = 0
        self.register_buffer("position", sinusoidal_positional_encoding(max_len, d_model))

    def forward(self, token_ids):
        tokens = math.sqrt(self.d_model) * self.embedding(token_ids)
        return tokens + self.position[: token_ids.size(1)]
