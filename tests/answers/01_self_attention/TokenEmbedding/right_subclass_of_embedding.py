"""A subclass of nn.Embedding."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import math

import torch
from torch import nn


class TokenEmbedding(nn.Embedding):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__(vocab_size, d_model, padding_idx=pad_id)
        self.register_buffer("code", sinusoidal_positional_encoding(max_len, d_model))

    def reset_parameters(self):
        nn.init.uniform_(self.weight, -1, 1)
        self.weight.data *= math.sqrt(3 / (2 * self.embedding_dim))
        self._fill_padding_idx_with_zero()

    def forward(self, token_ids):
        vectors = super().forward(token_ids)
        code = self.code[: token_ids.size(1)].expand_as(vectors)
        return torch.add(code, vectors, alpha=self.embedding_dim**0.5)
