"""The two risk models of the ICU notebook, one logit a stay and one at every event; training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import training
from course_utils.layers import AttentionPooling, EncoderBlock

if TYPE_CHECKING:
    import pandas as pd

    from course_utils.data.icu.sequences import EventSequences

__all__ = [
    "IcuRiskModel",
    "IcuStepModel",
    "first_and_last",
    "load_risk_model",
    "risk_logits",
    "shuffled_batches",
    "train_risk_model",
]


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
    """An encoder that reads the past alone, one logit at every event: the risk as known then.

    Events of one instant became known together, so they share one logit: their vectors are
    averaged before the head.

    Shapes
    ------
    events (B, T, D), static (B, S), known (B, 1, T, T) bool -> logits (B, T); ``known`` is True
    where the key (last dimension) is known at the query's time. Rows without any known key
    (padding) give logits that mean nothing.
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
        self, events: torch.Tensor, static: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per event; an event sees what is known at its time."""
        x = self.input_projection(events)
        for block in self.blocks:
            x, _ = block(x, attn_mask=known)
        together = (known & known.transpose(-1, -2))[:, 0].to(x.dtype)  # (B, T, T): one instant
        x = together @ self.norm(x) / together.sum(-1, keepdim=True).clamp(min=1)
        static = static[:, None].expand(-1, events.shape[1], -1)
        return self.head(torch.cat([x, static], dim=-1))[..., 0]


def load_risk_model(path: str | Path, config: Mapping[str, Any]) -> IcuRiskModel:
    """Build a risk model from its ``config`` and load the weights of a checkpoint into it."""
    config = dict(config)
    model = IcuRiskModel(config.pop("event_dim"), config.pop("static_dim"), **config)
    training.load_checkpoint(path, model)
    return model.eval()


def first_and_last(texts: list[str], tokenizer: Any, encoder: nn.Module) -> torch.Tensor:
    """Mean over each text's pieces of the first and the last hidden layer, (N, 2 × width).

    For :func:`course_utils.text.cached_embeddings`: the last layer knows the context, the first
    still knows the digits.
    """
    batch = tokenizer(texts, padding=True, return_tensors="pt", return_special_tokens_mask=True)
    own = (batch.pop("special_tokens_mask") == 0).float()
    own = own / own.sum(1, keepdim=True)  # (N, pieces)
    with torch.no_grad():
        states = encoder(**batch.to(encoder.device), output_hidden_states=True).hidden_states
    return torch.cat([torch.einsum("btd,bt->bd", states[i].cpu(), own) for i in (0, -1)], dim=1)


def risk_logits(model: nn.Module, sequences: EventSequences, index: torch.Tensor) -> np.ndarray:
    """Logits (N,) of the stays ``index``, in their order, on the device of the model."""
    device = next(model.parameters()).device

    def forward(model: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        batch = sequences.batch(index[chosen], device)
        return model(batch["events"], batch["static"], batch["is_event"])

    return training.predict(model, forward, sequences.lengths[index]).numpy()


def shuffled_batches(
    sequences: EventSequences, index: torch.Tensor, batch_size: int, seed: int
) -> list[torch.Tensor]:
    """Batches of stays of similar length, in an order that depends on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    lengths = sequences.lengths[index]
    return [index[i] for i in training.bucketed_batches(lengths, batch_size, generator=generator)]


def train_risk_model(
    model: nn.Module,
    sequences: EventSequences,
    train: torch.Tensor,
    validation: torch.Tensor,
    *,
    epochs: int,
    seed: int,
    lr: float = 2e-3,
    batch_size: int = 32,
    **options: Any,
) -> pd.DataFrame:
    """Fit a risk model on the stays ``train``; return the history of :func:`training.fit`.

    The loss is the cross-entropy on logits. After every epoch the history gets ``val_loss`` and
    ``val_auroc`` of the stays ``validation``; the epoch of lowest ``val_loss`` is the best one.
    ``options`` go to :func:`course_utils.training.fit`.
    """
    from sklearn.metrics import roc_auc_score

    device = next(model.parameters()).device

    def batches(epoch: int) -> list[torch.Tensor]:
        return shuffled_batches(sequences, train, batch_size, 1000 * seed + epoch)

    def step_loss(model: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        batch = sequences.batch(chosen, device)
        logits = model(batch["events"], batch["static"], batch["is_event"])
        return F.binary_cross_entropy_with_logits(logits, batch["outcome"])

    def validate(model: nn.Module) -> dict[str, float]:
        logits, outcome = risk_logits(model, sequences, validation), sequences.outcome[validation]
        loss = F.binary_cross_entropy_with_logits(torch.as_tensor(logits), outcome)
        return {"val_loss": float(loss), "val_auroc": float(roc_auc_score(outcome, logits))}

    return training.fit(
        model,
        batches,
        step_loss,
        epochs=epochs,
        lr=lr,
        validate=validate,
        monitor="val_loss",
        **options,
    )
