"""A gradient hook keeps the pad row at zero; code made on the fly."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import math

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, d_model, max_len, pad_id=0):
        super().__init__()
        self.max_len = max_len
        self.emb = nn.Embedding(vocab_size, d_model)
        with torch.no_grad():
            self.emb.weight.mul_(1 / math.sqrt(2 * d_model))
            self.emb.weight[pad_id].fill_(0.0)

        def keep_pad_still(gradient):
            gradient = gradient.clone()
            gradient[pad_id] = 0
            return gradient

        self.emb.weight.register_hook(keep_pad_still)

    def forward(self, token_ids):
        d_model = self.emb.weight.size(1)
        code = sinusoidal_positional_encoding(token_ids.size(1), d_model)
        return d_model**0.5 * self.emb(token_ids) + code.to(self.emb.weight)
