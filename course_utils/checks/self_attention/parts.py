"""The parts of an encoder: the student's own where the checks are right, else the course's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor, nn

from course_utils import layers
from course_utils.checks.notebook import Notebook, outcome
from course_utils.training import _train_epoch

__all__ = ["COURSE_PARTS", "choose_parts"]


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


def choose_parts(notebook: Notebook, namespace: Mapping[str, Any], *names: str) -> SimpleNamespace:
    """Give each part as the student wrote it if its visible check is right, else the course's.

    Parameters
    ----------
    notebook
        The notebook whose checks decide.
    namespace
        Where the student's answers live, ``globals()`` in a notebook.
    names
        The parts that are needed; all by default.

    Returns
    -------
    SimpleNamespace
        One attribute per part, called as its exercise says. A line says whose the parts are.

    Raises
    ------
    ValueError
        If there is no part of that name.
    """
    wanted = names or tuple(COURSE_PARTS)
    unknown = sorted(set(wanted) - set(COURSE_PARTS))
    if unknown:
        raise ValueError(f"names must be among {list(COURSE_PARTS)}, got {unknown}")
    own = [n for n in wanted if _is_right(notebook, namespace, n)]
    others = [n for n in wanted if n not in own]
    line = f"Your own parts: {', '.join(own) or 'none yet'}."
    if others:
        line += f" The course's, until the check of yours is right: {', '.join(others)}."
    print(line)
    return SimpleNamespace(**{n: namespace[n] if n in own else COURSE_PARTS[n] for n in wanted})


def _is_right(notebook: Notebook, namespace: Mapping[str, Any], name: str) -> bool:
    exercise = notebook.exercises.get(name)
    return exercise is not None and outcome(exercise, namespace.get(name)) == "right"
