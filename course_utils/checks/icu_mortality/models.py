"""Small models whose explanations are known in closed form, and stays for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course_utils.checks.icu_mortality.alone import ModelFailed


class Shared(list):
    """A list that a copy of its owner goes on writing to."""

    def __deepcopy__(self, memo: dict) -> Shared:
        return self


class LinearRisk(nn.Module):
    """Logit = sum over real events of events @ w, plus static @ v: its attributions are known."""

    def __init__(self, w: torch.Tensor, v: torch.Tensor, bias: float = -0.4) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(w.clone()), nn.Parameter(v.clone())
        self.bias = bias
        self.grad_modes: list[bool] = []
        self.modes: list[bool] = []
        self.masks: list[torch.Tensor] = Shared()  # one (T,) for every row that was asked for
        self.fails_at = 0  # the call that fails; 0 for none

    def note(self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor) -> None:
        """Look at what came in, keep what the checks ask for afterwards, and fail when told to."""
        self.grad_modes.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        self.modes.append(self.training)
        self.masks.extend(is_event.detach().clone())
        if self.fails_at and len(self.modes) >= self.fails_at:
            raise ModelFailed("the model failed, as models do when memory is short")
        rows = (len(events), len(static), len(is_event))
        if len(set(rows)) > 1:
            raise ValueError(
                f"events, static and is_event need one row a stay each, got {rows[0]}, {rows[1]} "
                f"and {rows[2]} rows"
            )

    def score(self, events: torch.Tensor, is_event: torch.Tensor) -> torch.Tensor:
        """Sum over real events, (B,)."""
        return ((events @ self.w) * is_event).sum(-1)

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        self.note(events, static, is_event)
        return self.score(events, is_event) + static @ self.v + self.bias


class ProductRisk(LinearRisk):
    """Logit = event score × static score: each side owns half of it."""

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        super().forward(events, static, is_event)
        return self.score(events, is_event) * (static @ self.v) + self.bias


class PowerRisk(LinearRisk):
    """Logit = (event score + static score) to the ninth power: coarse steps show."""

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        super().forward(events, static, is_event)
        return (self.score(events, is_event) + static @ self.v) ** 9 + self.bias


class DropoutRisk(LinearRisk):
    """A linear risk behind dropout: in training mode every call differs."""

    def __init__(self, w: torch.Tensor, v: torch.Tensor) -> None:
        super().__init__(w, v)
        self.dropout = nn.Dropout(0.5)

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        self.note(events, static, is_event)
        score = self.dropout((events @ self.w) * is_event).sum(-1)
        return score + self.dropout(static * self.v).sum(-1) + self.bias


class UnmaskedSum(LinearRisk):
    """Logit that also looks at what lies at removed places: zeroing features shows."""

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        linear = super().forward(events, static, is_event)
        return linear + 0.05 * (events**2).sum((1, 2))


def stay_batch(
    seed: int, n_events: int, n_padding: int, dim: int = 3, n_static: int = 2, dtype=torch.float32
) -> dict[str, torch.Tensor]:
    """Draw a batch with one stay, padded behind (with junk, so that a mask has to be used)."""
    g = torch.Generator().manual_seed(seed)
    total = n_events + n_padding
    events = torch.randn(1, total, dim, generator=g, dtype=dtype)
    minutes = torch.rand(1, total, generator=g, dtype=dtype).sort(1).values * 2880
    minutes[:, n_events:] = 0
    return {
        "stay_id": torch.tensor([31_000_000 + seed]),
        "events": events,
        "minutes_since_admission": minutes,
        "is_event": torch.arange(total)[None] < n_events,
        "lengths": torch.tensor([n_events]),
        "static": torch.randn(1, n_static, generator=g, dtype=dtype),
        "outcome": torch.tensor([1.0]),
    }


def with_hole(batch: dict[str, torch.Tensor], *places: int) -> dict[str, torch.Tensor]:
    """Return a batch in which events at these places count as removed, before others that stay."""
    is_event = batch["is_event"].clone()
    is_event[0, list(places)] = False
    return batch | {"is_event": is_event, "lengths": is_event.sum(1)}


def weights_for(batch: dict[str, torch.Tensor], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw weights of a small model that fit ``batch``."""
    g = torch.Generator().manual_seed(seed)
    dtype = batch["events"].dtype
    w = torch.randn(batch["events"].shape[-1], generator=g, dtype=dtype)
    return w, torch.randn(batch["static"].shape[-1], generator=g, dtype=dtype)


def stay(stay_id: int, n_events: int, dim: int, seed: int, dtype=torch.float32) -> dict[str, Any]:
    """Draw one stay as a dict, not padded."""
    batch = stay_batch(seed, n_events, 0, dim, dtype=dtype)
    return {
        "stay_id": stay_id,
        "events": batch["events"][0],
        "minutes_since_admission": batch["minutes_since_admission"][0],
        "static": batch["static"][0],
        "outcome": seed % 2,
    }
