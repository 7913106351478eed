"""The course's parts of an encoder, for while a student's own are not right yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn

from course_utils import layers
from course_utils.training import _train_epoch

__all__ = ["COURSE_PARTS"]


class _TokenEmbedding(nn.Module):
    """Tokens (B, T) -> (B, T, D); the vectors are turned down to the loudness of the positions."""

    def __init__(self, vocab_size: int, d_model: int, max_len: int, pad_id: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        self.position = layers.SinusoidalPositionalEncoding(d_model, max_len)
        self.factor = d_model**0.5
        with torch.no_grad():
            loud = self.factor * self.embedding.weight.square().mean().sqrt()
            self.embedding.weight *= self.position.code.square().mean().sqrt() / loud

    def forward(self, token_ids: Tensor) -> Tensor:
        return self.position(self.factor * self.embedding(token_ids))


class _EncoderBlock(nn.Module):
    """The course's pre-norm block, called like the exercise's: (x, attn_mask) -> (out, weights)."""

    def __init__(self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.block = layers.EncoderBlock(d_model, num_heads, d_ff, dropout=dropout)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.block(x, attn_mask=attn_mask, need_weights=True)


def _masked_mean_pool(x: Tensor, is_token: Tensor) -> Tensor:
    share = F.normalize(is_token.to(x.dtype), p=1, dim=1)
    return torch.einsum("btd,bt->bd", x, share)


def _multilabel_loss(logits: Tensor, labels: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=pos_weight)


def _train_one_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    max_norm: float = 1.0,
) -> float:
    def step_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return loss_fn(model(batch[0])[0], batch[1])

    constant: Any = SimpleNamespace(step=lambda: None)  # no schedule beside the optimizer's own
    row = _train_epoch(model, batches, step_loss, optimizer, constant, max_norm, lambda batch: None)
    return row["loss"]


def _f1_scores(labels: np.ndarray | Tensor, predictions: np.ndarray | Tensor) -> dict[str, Any]:
    def score(average: str | None) -> Any:
        return f1_score(np.asarray(labels), np.asarray(predictions), average=average)

    return {"micro": score("micro"), "macro": score("macro"), "per_class": list(score(None))}


def _apply_rotary(x: Tensor, positions: Tensor, base: float = 10_000.0) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    rate = base ** -torch.linspace(0, 1, pairs.shape[-1] + 1, device=x.device)[:-1]
    angle = positions.to(x.device)[:, None] * rate
    turned = pairs * torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


COURSE_PARTS: dict[str, Any] = {
    "TokenEmbedding": _TokenEmbedding,
    "EncoderBlock": _EncoderBlock,
    "masked_mean_pool": _masked_mean_pool,
    "multilabel_loss": _multilabel_loss,
    "train_one_epoch": _train_one_epoch,
    "f1_scores": _f1_scores,
    "apply_rotary": _apply_rotary,
}
