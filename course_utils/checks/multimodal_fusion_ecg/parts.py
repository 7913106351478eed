"""The course's versions of what later cells of notebook 03 go on with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import layers

__all__ = ["COURSE_PARTS"]


class _FusionTransformer(nn.Module):
    """A token a modality and a summary token in front of them, through one pre-norm block."""

    def __init__(self, widths: Sequence[int], d_model: int, num_heads: int, n_out: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(width, d_model) for width in widths)
        self.vectors = nn.Parameter(0.5 * torch.randn(len(widths) + 1, d_model))
        self.block = layers.EncoderBlock(d_model, num_heads, 2 * d_model)
        self.out = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, n_out))

    def forward(self, inputs: Sequence[Tensor], available: Tensor) -> tuple[Tensor, Tensor]:
        there = F.pad(available, (1, 0), value=True)  # (N, M + 1)
        tokens = [self.vectors[:1].expand(len(there), -1)]
        for m, (project, x) in enumerate(zip(self.maps, inputs, strict=True)):
            kept = torch.where(available[:, m, None], x, torch.zeros_like(x))
            tokens.append(project(kept) + self.vectors[m + 1])
        x, weights = self.block(
            torch.stack(tokens, dim=1), attn_mask=there[:, None, None], need_weights=True
        )
        return self.out(x[:, 0]), weights[:, :, 0, 1:].mean(dim=1)


def _siglip_loss(image: Tensor, text: Tensor, same: Tensor, log_scale: Tensor, bias: Tensor) -> Any:
    cosine = F.cosine_similarity(image[:, None], text[None], dim=-1)
    z = log_scale.exp() * cosine + bias
    return F.binary_cross_entropy_with_logits(z, same.to(z), reduction="sum") / len(z)


COURSE_PARTS: dict[str, Any] = {
    "FusionTransformer": _FusionTransformer,
    "siglip_loss": _siglip_loss,
}
