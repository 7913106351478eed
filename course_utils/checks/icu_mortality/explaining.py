"""Explanations by Integrated Gradients that are known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.icu_mortality.alone import call_alone, restored_when_it_fails
from course_utils.checks.icu_mortality.models import (
    DropoutRisk,
    LinearRisk,
    PowerRisk,
    ProductRisk,
    stay_batch,
    weights_for,
    with_hole,
)


def explained(answer: Callable, model: nn.Module, batch: dict, n_steps: int) -> pd.DataFrame:
    """Call an answer; the table it gives, its form and what it left behind looked at."""
    modes = [module.training for module in model.modules()]
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    rates = [m.p for m in model.modules() if isinstance(m, nn.Dropout)]
    table = call_alone(answer, model, batch, n_steps)
    require(isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {type(table).__name__}.")
    need = ["kind", "position", "attribution", "completeness_gap"]
    missing = [name for name in need if name not in table]
    require(
        not missing,
        f"Expected the columns {', '.join(need)}; missing {', '.join(missing)}.",
        "a column was left out, or its name is spelt otherwise",
    )
    for name in need[1:]:
        require(
            pd.api.types.is_numeric_dtype(table[name]),
            f"Expected numbers in the column {name}, got {table[name].dtype} with "
            f"{type(table[name].iloc[0]).__name__} in it.",
            "a tensor is no number for pandas: .tolist() or .item() first",
        )
    require(
        rates == [m.p for m in model.modules() if isinstance(m, nn.Dropout)],
        "The model's dropout rate was changed.",
        "model.eval() switches dropout off, model.train() on again",
    )
    require(
        modes == [module.training for module in model.modules()],
        "The model was left in another mode (train or eval) than it came in.",
        "note model.training first and call model.train(was_training) at the end",
    )
    for p, before in zip(model.parameters(), grads, strict=True):
        unchanged = (
            p.grad is None
            if before is None
            else (p.grad is not None and torch.equal(p.grad, before))
        )
        require(unchanged and p.requires_grad, "Gradients of the model's parameters were changed.")
    touched = [k for k, v in batch.items() if v.requires_grad or v.grad_fn is not None]
    require(not touched, f"batch[{touched[0] if touched else ''!r}] was left requiring a gradient.")
    require(
        not any(getattr(model, "modes", [])),
        "The model was called in training mode.",
        "dropout makes every call differ: model.eval() first",
    )
    return table


def table_is(
    table: pd.DataFrame, events: torch.Tensor, static: torch.Tensor, mistakes=None, places=None
) -> None:
    """Rows are the real events in order, then the static features, with these attributions.

    ``places`` are the events' positions on the time axis, by default 0, 1, …
    """
    n, s = len(events), len(static)
    places = list(range(n)) if places is None else places
    kinds = table["kind"].tolist()
    hint = None
    if set(kinds) - {"event", "static"}:
        hint = "`kind` is 'event' or 'static', spelt exactly so"
    elif kinds.count("event") != n:
        hint = "padding has no row" if kinds.count("event") > n else "some real events have no row"
    require(
        kinds == ["event"] * n + ["static"] * s,
        f"Expected {n} rows 'event', then {s} rows 'static', got "
        f"{kinds.count('event')} and {kinds.count('static')} of {len(kinds)}.",
        hint,
    )
    want = [*places, *range(s)]
    got = table["position"].tolist()
    counted = got[:n] == list(range(n)) and places != list(range(n))
    require(
        got == want,
        f"Expected the positions {want}, got {got}.",
        "an event's position is its index on the time axis, padding and gaps counted too"
        if counted
        else "static features stand behind the events, and count from 0 again",
    )
    values = table["attribution"].to_numpy(dtype=float)
    known = {words: torch.cat(pair).double().detach() for words, pair in (mistakes or {}).items()}
    same(
        torch.as_tensor(values),
        torch.cat([events, static]).double().detach(),
        "the attributions",
        rtol=1e-3,
        atol=1e-4,
        mistakes=known,
    )


def gap_is(table: pd.DataFrame, model: nn.Module, batch: dict) -> None:
    """The completeness gap is that of the table's own attributions, in every row."""
    gaps = table["completeness_gap"].to_numpy(dtype=float)
    require(len(set(gaps.tolist())) == 1, "completeness_gap is not the same in every row.")
    with torch.no_grad():
        model.eval()
        here = model(batch["events"], batch["static"], batch["is_event"])
        zero = [torch.zeros_like(batch[k]) for k in ("events", "static")]
        base = model(*zero, batch["is_event"])
    difference = float(here - base)
    want = abs(float(table["attribution"].sum()) - difference)
    slack = 2e-4 * max(1.0, abs(difference), float(table["attribution"].abs().sum()))
    if abs(gaps[0] - want) > slack:
        fail(
            f"Attributions sum to {table['attribution'].sum():.5g}, the logit moves by "
            f"{difference:.5g}.\nExpected a completeness_gap of {want:.5g}, got {gaps[0]:.5g}.",
            "|sum of all attributions − (logit of the input − logit of the zero baseline)|",
        )


def explain_linear(answer: Callable, seed: int, n_events: int, n_padding: int, dtype=torch.float32):
    """A linear model: the attribution of an event is its own share of the logit."""
    batch = stay_batch(seed, n_events, n_padding, dtype=dtype)
    w, v = weights_for(batch, seed + 50)
    model = LinearRisk(w, v).eval()
    table = explained(answer, model, batch, 5)
    parts = batch["events"][0, :n_events] * w
    static = batch["static"][0] * v
    logit = parts.sum() + static.sum() + model.bias
    p, p0 = torch.sigmoid(logit), torch.sigmoid(torch.tensor(model.bias))
    shrink = (p - p0) / (logit - model.bias)
    mistakes = {
        "an event's attribution is the signed sum over its features": (
            parts.abs().sum(-1),
            static,
        ),
        "the mean over an event's features was taken, not the sum": (parts.mean(-1), static),
        "the probability was explained, not the logit": (parts.sum(-1) * shrink, static * shrink),
    }
    table_is(table, parts.sum(-1), static, mistakes)
    gap_is(table, model, batch)


def explain_product(
    answer: Callable, seed: int, n_events: int, n_padding: int, dtype=torch.float32
):
    """A product of both inputs: on one path from zero each side owns half."""
    batch = stay_batch(seed, n_events, n_padding, dtype=dtype)
    w, v = weights_for(batch, seed + 50)
    model = ProductRisk(w, v).train()
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    table = explained(answer, model, batch, 6)
    share = (batch["events"][0, :n_events] @ w) * (batch["static"][0] @ v)
    static = batch["static"][0] * v * (batch["events"][0, :n_events] @ w).sum()
    alone = {
        "both inputs go along one path: attribute the pair (events, static) in one call": (
            share,
            static,
        )
    }
    table_is(table, share / 2, static / 2, alone)
    gap_is(table, model, batch)


def explain_power(answer: Callable, seed: int, n_steps: int, dtype=torch.float64) -> None:
    """A ninth power and few steps: the method is Captum's default, and n_steps is used."""
    batch = stay_batch(seed, 3, 1, dtype=dtype)
    w, v = weights_for(batch, seed + 50)
    total = float((batch["events"][0, :3] @ w).sum() + (batch["static"][0] * v).sum())
    w, v = 1.2 * w / total, 1.2 * v / total  # a sum of 1.2
    model = PowerRisk(w, v).eval()
    table = explained(answer, model, batch, n_steps)
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    slope = float((weights / 2 * 9 * (1.2 * (1 + nodes) / 2) ** 8).sum())
    events, static = batch["events"][0, :3] @ w, batch["static"][0] * v
    exact = 1.2**8
    mistakes = {"n_steps was not passed on": (events * exact, static * exact)}
    table_is(table, events * slope, static * slope, mistakes)
    gap_is(table, model, batch)


def explain_dropout(answer: Callable, seed: int) -> None:
    """A model with dropout that comes in training mode."""
    batch = stay_batch(seed, 4, 2)
    w, v = weights_for(batch, seed + 50)
    model = DropoutRisk(w, v).train()
    table = explained(answer, model, batch, 4)
    table_is(table, batch["events"][0, :4] @ w, batch["static"][0] * v)
    gap_is(table, model, batch)


def explain_hole(answer: Callable, seed: int) -> None:
    """Events may have been removed before others: positions count on the time axis."""
    batch = with_hole(stay_batch(seed, 6, 2), 1, 2, 4)
    w, v = weights_for(batch, seed + 50)
    model = LinearRisk(w, v).eval()
    table = explained(answer, model, batch, 4)
    kept = [0, 3, 5]
    table_is(table, batch["events"][0, kept] @ w, batch["static"][0] * v, places=kept)
    gap_is(table, model, batch)


def explain_failure(answer: Callable, seed: int) -> None:
    """A model that raises is left in the mode in which it came."""
    batch = stay_batch(seed, 3, 1)
    restored_when_it_fails(answer, LinearRisk(*weights_for(batch, seed)), batch, 3)
