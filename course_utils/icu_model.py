"""The two risk models of the ICU notebook: one logit a stay, and one logit at every event."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils.layers import AttentionPooling, EncoderBlock
from course_utils.training import load_checkpoint

__all__ = ["IcuRiskModel", "IcuStepModel", "load_risk_model"]


class IcuRiskModel(nn.Module):
    """Encoder over the events of a stay, attention pooling, static features, one logit.

    Parameters
    ----------
    event_dim, static_dim : int
        Numbers of one event (D) and of one stay (S).
    d_model, num_heads, num_layers, d_ff : int
        Width of the encoder, heads of the encoder and of the pooling, blocks, inner width.
    dropout : float

    Shapes
    ------
    events (B, T, D), static (B, S), is_event (B, T) bool -> logits (B,). With
    ``need_weights=True`` also a dict: ``layers``, a list of (B, H, T, T); ``pooling`` (B, H, T).
    """

    def __init__(
        self,
        event_dim: int,
        static_dim: int,
        *,
        d_model: int = 48,
        num_heads: int = 4,
        num_layers: int = 4,
        d_ff: int = 96,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.config = {
            "event_dim": event_dim,
            "static_dim": static_dim,
            "d_model": d_model,
            "num_heads": num_heads,
            "num_layers": num_layers,
            "d_ff": d_ff,
            "dropout": dropout,
        }
        self.input_projection = nn.Linear(event_dim, d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout=dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.pooling = AttentionPooling(d_model, num_heads)
        self.classifier = nn.Sequential(
            nn.Linear(d_model + static_dim, d_model),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(d_model, 1),
        )

    def forward(
        self,
        events: torch.Tensor,
        static: torch.Tensor,
        is_event: torch.Tensor,
        need_weights: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, dict[str, Any]]:
        """Return the logits, and the attention weights where asked for."""
        mask = is_event[:, None, None, :]  # (B, 1, 1, T)
        x = self.input_projection(events)  # (B, T, d_model)
        layers = []
        for block in self.blocks:
            x, weights = block(x, attn_mask=mask, need_weights=need_weights)
            layers.append(weights)  # (B, H, T, T)
        pooled, pooling = self.pooling(self.norm(x), attn_mask=mask, need_weights=need_weights)
        joined = torch.cat([pooled[:, 0], static], dim=-1)  # (B, d_model + S)
        logits = self.classifier(joined)[:, 0]  # (B,)
        if not need_weights:
            return logits
        return logits, {"layers": layers, "pooling": pooling[:, :, 0]}


class IcuStepModel(nn.Module):
    """A causal encoder with one logit at every event: the risk as far as it was known then.

    Shapes
    ------
    events (B, T, D), static (B, S), is_event (B, T) bool -> logits (B, T)
    """

    def __init__(
        self,
        event_dim: int,
        static_dim: int,
        *,
        d_model: int = 48,
        num_heads: int = 4,
        num_layers: int = 2,
        d_ff: int = 96,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.input_projection = nn.Linear(event_dim, d_model)
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout=dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Sequential(
            nn.Linear(d_model + static_dim, d_model), nn.ReLU(), nn.Linear(d_model, 1)
        )

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per event; an event sees itself and what came before."""
        length = events.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=events.device).tril()
        mask = is_event[:, None, None, :] & causal  # (B, 1, T, T)
        x = self.input_projection(events)
        for block in self.blocks:
            x, _ = block(x, attn_mask=mask)
        static = static[:, None].expand(-1, length, -1)
        return self.head(torch.cat([self.norm(x), static], dim=-1))[..., 0]


def load_risk_model(path: str | Path, config: Mapping[str, Any]) -> IcuRiskModel:
    """Build a risk model from its ``config`` and load the weights of a checkpoint into it."""
    config = dict(config)
    model = IcuRiskModel(config.pop("event_dim"), config.pop("static_dim"), **config)
    load_checkpoint(path, model)
    return model.eval()
