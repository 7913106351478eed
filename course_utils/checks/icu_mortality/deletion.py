"""Deletion curves of models whose risk after every removal is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.icu_mortality.alone import call_alone, restored_when_it_fails
from course_utils.checks.icu_mortality.models import (
    LinearRisk,
    UnmaskedSum,
    stay_batch,
    weights_for,
    with_hole,
)


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
    one_more, one_less = (
        torch.sigmoid(torch.stack([share[order[max(n + k, 0) :]].sum() for n in removed]) + rest)
        for k in (1, -1)
    )
    mistakes = {
        "one event too many is removed: the first n_removed are": one_more,
        "one event too few is removed: the first n_removed are": one_less,
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
    backwards_view = np.ascontiguousarray(order.numpy()[::-1])[::-1]  # as argsort(…)[::-1] is one
    for ranking in (order, order.tolist(), order.numpy(), backwards_view):
        table = curve(answer, model, batch, ranking, steps)
        require(
            [int(n) for n in table["n_removed"]] == removed,
            f"{n_events} events in {steps} steps: expected n_removed {removed}, got "
            f"{table['n_removed'].tolist()}.",
            "n_removed = k * n // steps for k = 0, …, steps",
        )
        risk = torch.as_tensor(table["risk"].to_numpy(dtype=float))
        same(risk, want.double(), "the risk", rtol=1e-4, atol=1e-5, mistakes=mistakes)
        _random_is_possible(table, share, rest, removed)
    require(
        model.training == mode,
        "The model was left in another mode than it came in.",
        "note model.training first and call model.train(was_training) at the end",
    )
    require(not any(model.modes), "The model was called in training mode.", "model.eval() first")
    require(not any(model.grad_modes), "Gradients were recorded.", "with torch.no_grad(): …")


def curve(
    answer: Callable, model: nn.Module, batch: dict, ranking: Sequence[int], steps: int
) -> pd.DataFrame:
    """Call an answer; the table it gives, its columns looked at."""
    table: Any = call_alone(answer, model, batch, ranking, steps)
    require(isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {type(table).__name__}.")
    need = ["n_removed", "risk", "risk_random"]
    missing = [name for name in need if name not in table]
    require(
        not missing,
        f"Expected the columns {', '.join(need)}; missing {', '.join(missing)}.",
        "a column was left out, or its name is spelt otherwise",
    )
    for name in need:
        require(
            pd.api.types.is_numeric_dtype(table[name]),
            f"Expected numbers in the column {name}, got {table[name].dtype}.",
            "a tensor is no number for pandas: .item() first",
        )
    return table


def _zeroed(batch: dict, order: torch.Tensor, removed: list[int], model: nn.Module) -> torch.Tensor:
    risks = []
    for n in removed:
        events, mask = batch["events"].clone(), batch["is_event"].clone()
        events[0, order[:n]] = 0
        mask[0, order[:n]] = False
        with torch.no_grad():
            risks.append(torch.sigmoid(model(events, batch["static"], mask))[0])
    model.modes.clear(), model.grad_modes.clear(), model.masks.clear()
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


def deletion_random(answer: Callable, seed: int) -> None:
    """The random ranking is a local one with a fixed seed, and its risk the mean of risks.

    The model keeps every mask that it was asked about, so what ``risk_random`` averages is known.
    """
    batch = with_hole(stay_batch(seed, 16, 3), 1, 4, 5, 9)
    w, v = weights_for(batch, seed + 50)
    model = LinearRisk(2 * w, v)
    places = batch["is_event"][0].nonzero()[:, 0]
    share = (batch["events"][0] @ (2 * w)).detach()
    ranking = places[share[places].argsort(descending=True)]
    first = curve(answer, model, batch, ranking, 6)
    asked = [mask for mask in model.masks if mask.shape == batch["is_event"][0].shape]
    again = curve(answer, model, batch, ranking, 6)
    require(
        first.equals(again), "A second call gave other numbers.", "give the generator a fixed seed"
    )
    rest = (batch["static"][0] @ v + model.bias).detach()
    left = {len(places) - 2 * k: k for k in range(7)}
    for mask in asked:
        size = int((mask & batch["is_event"][0]).sum())
        require(
            size in left and int(mask.sum()) == size,
            f"The model was asked about {size} of {len(places)} events; 6 steps leave "
            f"{', '.join(map(str, left))}.",
            "a random ranking permutes the given positions: ranking[randperm(n)], not randperm(n)",
        )
    turned = 0
    for size, k in left.items():
        own = batch["is_event"][0].clone()
        own[ranking[: 2 * k]] = False
        others = [m for m in asked if int(m.sum()) == size and not torch.equal(m, own)]
        if 0 < k < 6 and others:
            back = batch["is_event"][0].clone()
            back[ranking.flip(0)[: 2 * k]] = False
            turned += all(torch.equal(mask, back) for mask in others)
            _is_mean_risk(first["risk_random"].iloc[k], others, share, rest, 2 * k)
    middle = slice(1, 6)
    follows = np.allclose(first["risk_random"][middle], first["risk"][middle], atol=1e-3)
    require(
        not follows,
        "risk_random follows the given ranking.",
        "shuffle the positions: ranking[torch.randperm(n, generator=generator)]",
    )
    require(turned < 5, "risk_random follows the given ranking, from its other end.")


def _is_mean_risk(
    got: float, masks: list[torch.Tensor], share: torch.Tensor, rest: torch.Tensor, removed: int
) -> None:
    logits = torch.stack([(share * mask).sum() + rest for mask in masks])
    same(
        np.asarray(got, dtype=float),
        torch.sigmoid(logits).mean().double().numpy(),
        f"risk_random after {removed} removals (the mean risk over the random rankings)",
        rtol=1e-3,
        atol=1e-5,
        mistakes={
            "average the risks, not the logits": torch.sigmoid(logits.mean()).numpy(),
            "the mean is wanted, not the median": torch.sigmoid(logits).median().numpy(),
        },
    )


def deletion_failure(answer: Callable, seed: int) -> None:
    """A model that raises is left in the mode in which it came."""
    batch = stay_batch(seed, 4, 1)
    model = LinearRisk(*weights_for(batch, seed))
    restored_when_it_fails(answer, model, batch, [2, 0, 3, 1], 2)
