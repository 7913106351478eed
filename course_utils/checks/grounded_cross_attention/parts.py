"""The course's parts of a report writer, for while a student's own are not right yet."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import layers

__all__ = ["COURSE_PARTS"]

CachePair = tuple[Tensor, Tensor]


class _CrossAttention(nn.Module):
    """The course's attention, called like the exercise's: (text, image, mask) -> (out, weights)."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.attention = layers.MultiHeadAttention(d_model, num_heads)

    def forward(
        self, text: Tensor, image: Tensor, attn_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return self.attention(text, image, attn_mask=attn_mask, need_weights=True)


def _compute_loss(
    logits: Tensor,
    token_ids: Tensor,
    attn_weights: list[Tensor],
    finding_masks: Tensor,
    lambda_ground: float = 0.1,
    lambda_entropy: float = 0.01,
    pad_id: int = 0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    targets, masks = token_ids[:, 1:], finding_masks[:, 1:].to(logits.dtype)
    rows = attn_weights[-1].mean(1)[:, :-1]  # (B, T-1, N): row t-1 for token t
    zero = logits.new_zeros(())
    words, grounded = targets != pad_id, masks.amax(-1) > 0
    ce = F.cross_entropy(logits[:, :-1][words], targets[words]) if words.any() else zero
    entropy = torch.special.entr(rows[words] + 1e-12).sum(-1).mean() if words.any() else zero
    ground = zero
    if grounded.any():
        wanted = F.normalize(masks[grounded], p=1, dim=-1)
        ground = F.binary_cross_entropy(rows[grounded].clamp(1e-6, 1 - 1e-6), wanted)
    return ce + lambda_ground * ground + lambda_entropy * entropy, ce, ground, entropy


@torch.no_grad()
def _greedy_decode(
    model: nn.Module, images: Tensor, bos_id: int, eos_id: int, max_len: int
) -> Tensor:
    training = model.training
    model.eval()
    tokens = images.new_full((len(images), 1), bos_id, dtype=torch.int64)
    ended = torch.zeros_like(tokens[:, 0], dtype=torch.bool)
    try:
        for _ in range(max_len - 1):
            word = model(tokens, images)[0][:, -1].argmax(-1).where(~ended, 0)
            tokens = torch.hstack([tokens, word[:, None]])
            ended |= word == eos_id
    finally:
        model.train(training)
    return tokens


def _attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: CachePair | None = None
) -> tuple[Tensor, CachePair]:
    if cache is not None:
        key, value = torch.cat([cache[0], key], 2), torch.cat([cache[1], value], 2)
    return F.scaled_dot_product_attention(query, key, value), (key, value)


def _pointing_game(weights: Tensor, masks: Tensor) -> float:
    counted = masks.amax(-1) > 0
    hits = masks[counted].take_along_dim(weights[counted].argmax(-1, keepdim=True), -1) > 0
    return hits.double().mean().item()


def _grounding_iou(weights: Tensor, masks: Tensor, keep: float = 0.9) -> float:
    counted = masks.amax(-1) > 0
    rows, inside = weights[counted].double(), masks[counted] > 0
    order = rows.argsort(-1, descending=True)
    ordered, sorted_mask = rows.gather(-1, order), inside.gather(-1, order)
    before = ordered.cumsum(-1) - ordered
    region = (before < keep * rows.sum(-1, keepdim=True) - 1e-6) & (ordered > 0)
    overlap, union = (region & sorted_mask).sum(-1), (region | sorted_mask).sum(-1)
    return (overlap / union).double().mean().item()


COURSE_PARTS: dict[str, Any] = {
    "CrossAttention": _CrossAttention,
    "causal_mask": layers.causal_mask,
    "compute_loss": _compute_loss,
    "greedy_decode": _greedy_decode,
    "attend_with_cache": _attend_with_cache,
    "pointing_game": _pointing_game,
    "grounding_iou": _grounding_iou,
}
