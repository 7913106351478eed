"""Mistake: the code is kept on the class, so the last module decides
Message: The size of tensor a
"""

import math

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        self.factor = math.sqrt(d_model)
        self.lookup = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        nn.init.normal_(self.lookup.weight, std=(2 * d_model) ** -0.5)
        self.lookup.weight.data[pad_id] = 0
        type(self).place = sinusoidal_positional_encoding(max_len, d_model)

    def forward(self, token_ids):
        place = self.place[: token_ids.shape[1]]
        return self.factor * self.lookup(token_ids) + place.to(token_ids.device)
