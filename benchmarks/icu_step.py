"""Why the risk at every instant ranks patients worse at 48 hours than the model asked once.

The notebook's step model differs from its risk model in several things. Here they are changed one
at a time: when it is asked, how many layers it has, and whether it pools all that is known or reads
the latest instant alone. Same cohorts, batches and number of epochs.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

from benchmarks.icu_cohort import STATIC_SQL, read_sequences, split
from course_utils import training
from course_utils.data.icu import make_icu_stays
from course_utils.data.icu.sequences import EventSequences
from course_utils.icu_model import (
    IcuRiskModel,
    IcuStepModel,
    risk_logits,
    shuffled_batches,
    train_risk_model,
)
from course_utils.layers import AttentionPooling

N_STAYS, EVENTS_PER_STAY, EPOCHS, SEEDS = 2500, 50, 6, (0, 1, 2)
SIX_HOURS, AT_THE_END = 360.0, 1.0  # half-lives of the loss, minutes


class PooledStepModel(IcuStepModel):
    """The step model with attention pooling over all that is known at each instant."""

    def __init__(self, event_dim: int, static_dim: int, **options: int | float) -> None:
        super().__init__(event_dim, static_dim, **options)
        self.pooling = AttentionPooling(self.norm.normalized_shape[0], 4)

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """(B, T, D), (B, S), (B, 1, T, T) -> (B, T)."""
        x = self.input_projection(events)
        for block in self.blocks:
            x, _ = block(x, attn_mask=known)
        x, attention, length = self.norm(x), self.pooling.attention, events.shape[1]
        queries = self.pooling.queries.expand(len(x), length, -1)  # one summary an instant
        x, _ = attention(queries, x, attn_mask=known)
        return self.head(torch.cat([x, static[:, None].expand(-1, length, -1)], dim=-1))[..., 0]


def known_at(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The mask by time, (B, 1, T, T)."""
    minutes, real = batch["minutes_since_admission"], batch["is_event"]
    earlier = minutes[:, None, :] <= minutes[:, :, None]
    return (earlier & real[:, None, :] & real[:, :, None])[:, None]


def weighted_loss(logits: torch.Tensor, batch: dict, half_life: float) -> torch.Tensor:
    """The notebook's recency-weighted cross-entropy."""
    real = batch["is_event"]
    target = batch["outcome"][:, None].expand_as(logits)
    losses = F.binary_cross_entropy_with_logits(
        logits.masked_fill(~real, 0), target, reduction="none"
    )
    power = (batch["minutes_since_admission"] - 2880) / half_life
    weights = power.masked_fill(~real, -torch.inf).softmax(1).nan_to_num()  # base e, not 2
    return (weights * losses).sum() / real.any(1).sum().clamp(min=1)


def step_auroc(
    model: IcuStepModel, sequences: EventSequences, rows: dict, seed: int, half_life: float
) -> float:
    """Train a step model and return the AUROC of its last logits on test patients."""

    def loss(model: torch.nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        batch = sequences.batch(chosen)
        logits = model(batch["events"], batch["static"], known_at(batch))
        return weighted_loss(logits, batch, half_life / np.log(2))

    training.fit(
        model,
        lambda epoch: shuffled_batches(sequences, rows["train"], 32, seed=1000 * seed + epoch),
        loss,
        epochs=EPOCHS,
        lr=4e-3,
        show_progress=False,
    )
    model.eval()
    last = []
    with torch.no_grad():
        for part in rows["test"].split(100):
            batch = sequences.batch(part)
            logits = model(batch["events"], batch["static"], known_at(batch))
            place = (batch["lengths"] - 1).clamp(min=0)
            last.append(logits.gather(1, place[:, None])[:, 0])
    return float(roc_auc_score(sequences.outcome[rows["test"]], torch.cat(last)))


def aurocs(seed: int) -> dict[str, float]:
    """AUROC at 48 hours of every variant on one cohort."""
    stays = make_icu_stays(N_STAYS, random_state=seed, events_per_stay=EVENTS_PER_STAY)
    static = stays.connection.sql(STATIC_SQL).df().set_index("stay_id")
    parts = split(static, seed)
    sequences = read_sequences(stays.events(), static, parts["train"])
    rows = {name: torch.as_tensor(chosen) for name, chosen in parts.items()}
    one = sequences.batch([0])
    widths = one["events"].shape[-1], one["static"].shape[-1]
    variants = {
        "step model": (IcuStepModel, 2, SIX_HOURS),
        "asked at the end alone": (IcuStepModel, 2, AT_THE_END),
        "four layers": (IcuStepModel, 4, SIX_HOURS),
        "pooling over all that is known": (PooledStepModel, 2, SIX_HOURS),
    }
    found = {}
    for name, (kind, layers, half_life) in variants.items():
        torch.manual_seed(seed)
        model = kind(*widths, num_layers=layers, dropout=0.0)
        found[name] = step_auroc(model, sequences, rows, seed, half_life)
    torch.manual_seed(seed)
    model = IcuRiskModel(*widths)
    train_risk_model(
        model,
        sequences,
        rows["train"],
        rows["validation"],
        epochs=EPOCHS,
        seed=seed,
        keep_best=True,
        show_progress=False,
    )
    logits = risk_logits(model, sequences, rows["test"])
    found["risk model"] = float(roc_auc_score(sequences.outcome[rows["test"]], logits))
    return found


def measure() -> dict[str, float]:
    """Mean AUROC of every variant over the seeds, and its smallest and largest gain."""
    torch.set_num_threads(1)
    runs = [aurocs(seed) for seed in SEEDS]
    values: dict[str, float] = {"cohorts": len(runs)}
    for name in runs[0]:
        values[f"AUROC at 48 h, {name}"] = float(np.mean([run[name] for run in runs]))
        if name != "step model":
            gains = [run[name] - run["step model"] for run in runs]
            values |= {f"{name}: least gain": min(gains), f"{name}: most": max(gains)}
    return values
