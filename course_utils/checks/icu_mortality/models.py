"""Small models whose explanations are known in closed form, and the checks that use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require


class LinearRisk(nn.Module):
    """Logit = sum over real events of events @ w, plus static @ v: its attributions are known."""

    def __init__(self, w: torch.Tensor, v: torch.Tensor, bias: float = -0.4) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(w.clone()), nn.Parameter(v.clone())
        self.bias = bias
        self.grad_modes: list[bool] = []
        self.modes: list[bool] = []

    def score(self, events: torch.Tensor, is_event: torch.Tensor) -> torch.Tensor:
        """Sum over real events, (B,)."""
        return ((events @ self.w) * is_event).sum(-1)

    def forward(
        self, events: torch.Tensor, static: torch.Tensor, is_event: torch.Tensor, need_weights=False
    ) -> torch.Tensor:
        """Return logits (B,)."""
        self.grad_modes.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        self.modes.append(self.training)
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
        self.grad_modes.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        self.modes.append(self.training)
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


# ---------------------------------------------------------------------------------- explain_stay


def explained(answer: Callable, model: nn.Module, batch: dict, n_steps: int) -> pd.DataFrame:
    """Call an answer; the table it gives, its form and what it left behind looked at."""
    modes = [module.training for module in model.modules()]
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    table = call(answer, model, batch, n_steps)
    require(isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {type(table).__name__}.")
    need = ["kind", "position", "attribution", "completeness_gap"]
    missing = [name for name in need if name not in table]
    require(not missing, f"Expected the columns {', '.join(need)}; missing {', '.join(missing)}.")
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
    table: pd.DataFrame, events: torch.Tensor, static: torch.Tensor, mistakes=None
) -> None:
    """Rows are the real events in order, then the static features, with these attributions."""
    n, s = len(events), len(static)
    kinds = table["kind"].tolist()
    hint = "padding has no row" if kinds.count("event") > n else None
    require(
        kinds == ["event"] * n + ["static"] * s,
        f"Expected {n} rows 'event', then {s} rows 'static', got "
        f"{kinds.count('event')} and {kinds.count('static')} of {len(kinds)}.",
        hint,
    )
    want = [*range(n), *range(s)]
    require(
        [int(p) for p in table["position"]] == want,
        f"Expected the positions {want}, got {table['position'].tolist()}.",
    )
    got = table["attribution"].to_numpy(dtype=float)
    known = {words: torch.cat(pair).double().detach() for words, pair in (mistakes or {}).items()}
    same(
        torch.as_tensor(got),
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


# -------------------------------------------------------------------------------- deletion_curve


def deletion_known(
    answer: Callable, seed: int, n_events: int, n_padding: int, steps: int, dtype=torch.float32
) -> None:
    """Risk after every removal, known in closed form, for rankings of three kinds."""
    batch = stay_batch(seed, n_events, n_padding, dtype=dtype)
    w, v = weights_for(batch, seed + 50)
    model = UnmaskedSum(w, v).train(seed % 2 == 0)
    mode = model.training
    order = torch.randperm(n_events, generator=torch.Generator().manual_seed(seed))
    removed = [k * n_events // steps for k in range(steps + 1)]
    share = batch["events"][0, :n_events] @ w
    rest = batch["static"][0] @ v + model.bias + 0.05 * (batch["events"] ** 2).sum()
    kept = [share[order[n:]].sum() for n in removed]
    want = torch.sigmoid(torch.stack(kept) + rest).detach()
    backwards = torch.stack([share[order.flip(0)[n:]].sum() for n in removed])
    single = torch.stack([share.sum() - (share[order[n - 1]] if n else 0) for n in removed])
    mistakes = {
        "logits came back, not risks: apply the sigmoid": torch.stack(kept) + rest,
        "the ranking starts with the most important event: remove from its front": torch.sigmoid(
            backwards + rest
        ),
        "removals add up: after k steps all of the first events are gone": torch.sigmoid(
            single + rest
        ),
        "features were set to zero; remove by is_event = False alone": _zeroed(
            batch, order, removed, model
        ),
    }
    for ranking in (order, order.tolist(), order.numpy()):
        table = call(answer, model, batch, ranking, steps)
        require(
            isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {type(table).__name__}."
        )
        need = ["n_removed", "risk", "risk_random"]
        missing = [name for name in need if name not in table]
        require(
            not missing, f"Expected the columns {', '.join(need)}; missing {', '.join(missing)}."
        )
        require(
            [int(n) for n in table["n_removed"]] == removed,
            f"{n_events} events in {steps} steps: expected n_removed {removed}, got "
            f"{table['n_removed'].tolist()}.",
            "n_removed = k * n // steps for k = 0, …, steps",
        )
        risk = torch.as_tensor(table["risk"].to_numpy(dtype=float))
        same(risk, want.double(), "the risk", rtol=1e-4, atol=1e-5, mistakes=mistakes)
        _random_is_possible(table, share, rest, removed)
    require(model.training == mode, "The model was left in another mode than it came in.")
    require(not any(model.modes), "The model was called in training mode.", "model.eval() first")
    require(not any(model.grad_modes), "Gradients were recorded.", "with torch.no_grad(): …")


def _zeroed(batch: dict, order: torch.Tensor, removed: list[int], model: nn.Module) -> torch.Tensor:
    risks = []
    for n in removed:
        events, mask = batch["events"].clone(), batch["is_event"].clone()
        events[0, order[:n]] = 0
        mask[0, order[:n]] = False
        with torch.no_grad():
            risks.append(torch.sigmoid(model(events, batch["static"], mask))[0])
    model.modes.clear(), model.grad_modes.clear()
    return torch.stack(risks)


def _random_is_possible(
    table: pd.DataFrame, share: torch.Tensor, rest: torch.Tensor, removed: list[int]
) -> None:
    """A mean over random removals lies between the best and the worst removal of that size."""
    got = table["risk_random"].to_numpy(dtype=float)
    ordered = share.sort().values
    low = torch.stack([ordered[: len(share) - n].sum() for n in removed]) + rest
    high = torch.stack([ordered[n:].sum() for n in removed]) + rest
    low, high = (torch.sigmoid(x).detach().double().numpy() for x in (low, high))
    bad = ~((got >= low - 1e-5) & (got <= high + 1e-5))
    if bad.any():
        k = int(bad.argmax())
        fail(
            f"risk_random after {removed[k]} removals is {got[k]:.4g}; no {removed[k]} removed "
            f"events give less than {low[k]:.4g} or more than {high[k]:.4g}.",
            "the same number of real events goes, cumulatively, in a random order",
        )


def deletion_clean(answer: Callable, seed: int) -> None:
    """The random ranking is a local one with a fixed seed, and another than the given one."""
    batch = stay_batch(seed, 40, 3)
    w, v = weights_for(batch, seed + 50)
    model = LinearRisk(w, v)
    share = batch["events"][0, :40] @ w
    ranking = share.argsort(descending=True)
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = call(answer, model, batch, ranking, 8)
    untouched = torch.equal(torch.get_rng_state(), torch_state)
    now = np.random.get_state()[1]  # noqa: NPY002
    untouched = untouched and bool((now == numpy_state).all())
    require(
        untouched,
        "The global random state was changed.",
        "a local generator: torch.Generator().manual_seed(0) or np.random.default_rng(0)",
    )
    again = call(answer, model, batch, ranking, 8)
    require(
        first.equals(again), "A second call gave other numbers.", "give the generator a fixed seed"
    )
    middle = slice(2, 7)
    mean = [
        float((share.sum() * (1 - n / 40)) + batch["static"][0] @ v + model.bias)
        for n in first["n_removed"]
    ]
    risk_random = first["risk_random"].to_numpy(dtype=float)
    require(
        not np.allclose(
            risk_random[middle], first["risk"].to_numpy(dtype=float)[middle], atol=1e-3
        ),
        "risk_random follows the given ranking.",
    )
    chance = 1 / (1 + np.exp(-np.array(mean)))
    off = np.abs(np.log(risk_random / (1 - risk_random)) - np.log(chance / (1 - chance)))
    spread = float(share.std()) * np.sqrt(40)
    require(
        bool((off < 2.2 * spread).all()), "risk_random is far from what a random removal gives."
    )
