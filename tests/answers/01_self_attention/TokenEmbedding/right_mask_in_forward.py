"""The padding is masked in the forward call."""
# ruff: noqa: F821  (an earlier exercise of the notebook)

import torch
from torch import nn


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, max_len: int, pad_id: int = 0) -> None:
        super().__init__()
        self.pad_id, self.scale = pad_id, d_model**0.5
        self.table = nn.Parameter(torch.randn(vocab_size, d_model) / (2 * d_model) ** 0.5)
        code = sinusoidal_positional_encoding(max_len, d_model)
        self.code = nn.Parameter(code, requires_grad=False)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        real = (token_ids != self.pad_id).unsqueeze(-1)
        vectors = torch.where(real, self.table[token_ids] * self.scale, 0.0)
        return vectors + self.code[None, : token_ids.shape[1]]
