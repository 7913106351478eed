"""Training: one loop with checkpoints that resume, length buckets, prediction, devices.

The loop is short on purpose. What changes between notebooks (the batches, the loss, what is
validated) comes in as three functions; what stays the same (AdamW, one-cycle learning rate,
clipping, history, progress, checkpoints) lives here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from course_utils._checkpoints import load_checkpoint, save_checkpoint

__all__ = [
    "bucketed_batches",
    "describe_device",
    "fit",
    "load_checkpoint",
    "pick_device",
    "predict",
    "progress",
    "save_checkpoint",
]

StepLoss = Callable[[nn.Module, Any], "torch.Tensor | dict[str, torch.Tensor]"]


def pick_device() -> torch.device:
    """Return the GPU when there is one, else the CPU; ``COURSE_DEVICE`` overrides the choice."""
    name = os.environ.get("COURSE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Describe a device in one line, e.g. ``CPU, 4 cores, torch on 1 thread``."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"GPU, {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"CPU, {os.cpu_count()} cores, torch on {threads} thread{'s' * (threads != 1)}"
    return str(device)


def progress(
    iterable: Iterable | None = None,
    *,
    desc: str,
    total: int | None = None,
    disable: bool = False,
) -> tqdm:
    """Wrap an iterable in a plain-text progress bar on stdout (stderr would upset graders)."""
    return tqdm(
        iterable,
        desc=desc,
        total=total,
        file=sys.stdout,
        ascii=True,
        ncols=100,
        mininterval=1.0,
        disable=disable,
    )


def bucketed_batches(
    lengths: Sequence[int] | np.ndarray | torch.Tensor,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
) -> list[torch.Tensor]:
    """Group samples of similar length, so that little of a batch is padding.

    Parameters
    ----------
    lengths
        Length of every sample, ``(N,)``.
    batch_size
        Samples per batch; the last one may be smaller.
    generator
        Shuffles equal lengths among each other and the order of the batches. Without one the
        batches come in order of length, which is what evaluation wants.

    Returns
    -------
    list of torch.Tensor
        Index tensors (int64) that together hold every sample once.

    Raises
    ------
    ValueError
        If ``lengths`` is not one-dimensional or ``batch_size`` is not positive.
    """
    lengths = torch.as_tensor(lengths)
    if lengths.ndim != 1:
        raise ValueError(f"lengths must be one-dimensional, got shape {tuple(lengths.shape)}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if generator is None:
        return list(lengths.argsort(stable=True).split(batch_size)) if len(lengths) else []
    shuffled = torch.randperm(len(lengths), generator=generator)
    order = shuffled[lengths[shuffled].argsort(stable=True)]
    batches = list(order.split(batch_size)) if len(order) else []
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


@torch.no_grad()
def predict(
    model: nn.Module,
    forward: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    lengths: Sequence[int] | np.ndarray | torch.Tensor,
    batch_size: int = 256,
) -> torch.Tensor:
    """Run a model over all samples in length buckets and return the results in sample order.

    Parameters
    ----------
    model
        Put in evaluation mode for the call; its mode is restored.
    forward
        ``forward(model, index)`` returns a tensor ``(len(index), ...)`` for these samples.
    lengths
        Length of every sample, ``(N,)``.

    Returns
    -------
    torch.Tensor
        ``(N, ...)`` on the CPU.
    """
    batches = bucketed_batches(lengths, batch_size)
    if not batches:
        raise ValueError("lengths is empty: there is nothing to predict")
    training = model.training
    model.eval()
    try:
        results = torch.cat([forward(model, index).detach() for index in batches]).cpu()
    finally:
        model.train(training)
    ordered = torch.empty_like(results)
    ordered[torch.cat(batches)] = results
    return ordered


# ------------------------------------------------------------------------------------- training


class _Averages:
    """Sums of 0-d tensors kept on their device, read once an epoch."""

    def __init__(self) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.count = 0

    def add(self, values: dict[str, torch.Tensor]) -> None:
        self.count += 1
        for name, value in values.items():
            value = value.detach().double()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def read(self) -> dict[str, float]:
        return {name: float(value) / self.count for name, value in self.sums.items()}


def _train_epoch(
    model: nn.Module,
    batches: Iterable,
    step_loss: StepLoss,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    max_norm: float,
    after_step: Callable[[Any], None],
) -> dict[str, float]:
    """One pass over the batches; returns the averages of what ``step_loss`` gave."""
    averages = _Averages()
    model.train()
    for batch in batches:
        result = step_loss(model, batch)
        values = result if isinstance(result, dict) else {"loss": result}
        if "loss" not in values:
            raise ValueError(f'step_loss returned a dict without "loss": {sorted(values)}')
        optimizer.zero_grad(set_to_none=True)
        values["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        scheduler.step()
        averages.add(values)
        after_step(batch)
    return averages.read()


@torch.no_grad()
def _validate(model: nn.Module, validate: Callable[[nn.Module], dict[str, float]] | None) -> dict:
    if validate is None:
        return {}
    model.eval()
    try:
        return {name: float(value) for name, value in validate(model).items()}
    finally:
        model.train()


def _first_batches(batches: Callable[[int], Any], epochs: int) -> Any:
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    first = batches(0)
    if len(first) == 0:
        raise ValueError("batches(0) holds no batch: there is nothing to train on")
    return first


def fit(
    model: nn.Module,
    batches: Callable[[int], Any],
    step_loss: StepLoss,
    *,
    epochs: int,
    lr: float = 2e-3,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    warmup: float = 0.3,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    monitor: str | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    keep_best: bool = False,
    on_batch: Callable[[int, nn.Module, Any], None] | None = None,
    show_progress: bool = True,
    label: str = "training",
) -> pd.DataFrame:
    """Train with AdamW and a one-cycle learning rate; return one row of history per epoch.

    Parameters
    ----------
    batches
        ``batches(epoch)`` returns the sized batches of that epoch. It must depend on the epoch
        alone, or a resumed run would see other batches than an uninterrupted one.
    step_loss
        ``step_loss(model, batch)`` returns the 0-d loss, or a dict with ``"loss"`` and further
        0-d tensors; the history holds their means over the batches.
    lr, weight_decay, max_norm
        Peak learning rate, AdamW's weight decay, largest total gradient norm.
    warmup
        Share of all steps in which the learning rate rises; in the others it falls.
    validate
        ``validate(model)`` returns numbers for the history, after every epoch, in evaluation
        mode and without gradients.
    monitor
        Column that says which epoch is best: ``"val_loss"`` lower, ``"+val_f1"`` higher is better.
    folder
        Where ``latest.safetensors`` and (with ``monitor``) ``best.safetensors`` are kept.
    resume
        Go on from ``latest.safetensors`` if it is there; the curve is that of one run.
    keep_best
        End with the weights of the best epoch instead of the last one (needs ``monitor``).
    on_batch
        ``on_batch(step, model, batch)`` after every update, ``step`` counted from 1.

    Returns
    -------
    pandas.DataFrame
        Columns ``epoch`` (from 1), ``loss``, further losses, validation numbers, ``cpu_seconds``
        (since the start, all epochs so far).

    Raises
    ------
    ValueError
        If there are no batches, their number changes between epochs, ``monitor`` names no
        column, or a checkpoint belongs to a run of other length.
    FloatingPointError
        If an epoch's mean loss is not finite.
    """
    first = _first_batches(batches, epochs)
    if keep_best and monitor is None:
        raise ValueError("keep_best=True needs monitor, the column that says which epoch is best")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )  # one kernel for all parameters
    total = epochs * len(first)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, total_steps=total + 1, pct_start=warmup
    )
    latest = None if folder is None else Path(folder) / "latest.safetensors"
    best = _Best(monitor, folder, keep_best, model)
    history: list[dict[str, float]] = []
    if resume and latest is not None and latest.exists():
        history = _resume(latest, model, optimizer, scheduler, epochs, len(first))
    if not history and best.path is not None:
        best.path.unlink(missing_ok=True)  # of an earlier run
    spent = history[-1]["cpu_seconds"] if history else 0.0
    start = time.process_time()
    step = len(history) * len(first)
    with progress(desc=label, total=total, disable=not show_progress) as bar:
        bar.update(step)

        def after_step(batch: Any) -> None:
            nonlocal step
            step += 1
            bar.update()
            if on_batch is not None:
                on_batch(step, model, batch)

        for epoch in range(len(history), epochs):
            now = first if epoch == 0 else batches(epoch)
            if len(now) != len(first):
                raise ValueError(
                    f"batches({epoch}) has {len(now)} batches, batches(0) {len(first)}"
                )
            row: dict[str, float] = {"epoch": epoch + 1}
            row |= _train_epoch(model, now, step_loss, optimizer, scheduler, max_norm, after_step)
            if not np.isfinite(row["loss"]):
                raise FloatingPointError(f"{label}: mean loss of epoch {epoch + 1}: {row['loss']}")
            row |= _validate(model, validate)
            row["cpu_seconds"] = spent + time.process_time() - start
            history.append(row)
            best.update(history)
            bar.set_postfix_str(_postfix(row, best.column))
            if latest is not None:
                state = {
                    "history": history,
                    "epochs": epochs,
                    "batches_per_epoch": len(first),
                }
                save_checkpoint(latest, model, optimizer, scheduler, state=state)
    best.restore()
    return pd.DataFrame(history)


def _resume(
    latest: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    epochs: int,
    per_epoch: int,
) -> list[dict[str, float]]:
    """Load the latest checkpoint unless it belongs to a run of other length."""
    state = load_checkpoint(latest)
    if (state.get("epochs"), state.get("batches_per_epoch")) != (epochs, per_epoch):
        raise ValueError(
            f"folder holds a run of epochs={state.get('epochs')} with "
            f"{state.get('batches_per_epoch')} batches each, asked for epochs={epochs} with "
            f"{per_epoch}: use resume=False or another folder"
        )
    load_checkpoint(latest, model, optimizer, scheduler, restore_rng=True)
    return state["history"]


class _Best:
    """Remembers the best epoch by the monitored column, on disk or (if asked) in memory."""

    def __init__(
        self,
        monitor: str | None,
        folder: str | Path | None,
        keep: bool,
        model: nn.Module,
    ) -> None:
        self.sign = -1.0 if monitor is not None and monitor.startswith("+") else 1.0
        self.column = None if monitor is None else monitor.lstrip("+")
        self.path = None if folder is None else Path(folder) / "best.safetensors"
        self.keep, self.model = keep, model
        self.weights: dict[str, torch.Tensor] | None = None

    def update(self, history: list[dict[str, float]]) -> None:
        """Keep the model when the newest row is the best so far."""
        if self.column is None:
            return
        if self.column not in history[-1]:
            raise ValueError(f"monitor={self.column!r} is not a column of {sorted(history[-1])}")
        values = [self.sign * row[self.column] for row in history]
        if len(values) > 1 and not values[-1] < min(values[:-1]):
            return
        if self.path is not None:
            save_checkpoint(self.path, self.model, state={"history": history})
        elif self.keep:
            self.weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def restore(self) -> None:
        """Put the best weights back into the model if that was asked for."""
        if self.keep and self.path is not None:
            load_checkpoint(self.path, self.model)
        elif self.keep and self.weights is not None:
            self.model.load_state_dict(self.weights)


def _postfix(row: dict[str, float], column: str | None) -> str:
    names = ["loss"] + [column] * (column is not None and column != "loss")
    return ", ".join(f"{name} {row[name]:.3f}" for name in names if name in row)
