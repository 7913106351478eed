"""Uniform numbers of the same deviation; the code is moved in forward."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import math

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        bound = math.sqrt(3 / (2 * d_model))
        weight = torch.empty(vocab_size, d_model).uniform_(-bound, bound)
        weight[pad_id].zero_()
        self.lookup = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=pad_id)
        self.code = sinusoidal_positional_encoding(max_len, d_model)

    def forward(self, ids):
        vectors = self.lookup(ids)
        code = self.code[: ids.shape[-1]].to(device=vectors.device, dtype=vectors.dtype)
        return vectors * self.lookup.embedding_dim**0.5 + code
