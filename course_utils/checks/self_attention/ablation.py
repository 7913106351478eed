"""Watching an ablation: every run is counted, every row compared."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.comparisons import kind_of

__all__ = ["examine_ablation"]


def examine_ablation(
    answer: Callable[..., Any],
    head_dims: Any,
    seeds: Any,
    *,
    longest: int = 4,
    once: bool = False,
    twins: bool = False,
) -> None:
    """Run the ablation on a pretended training and compare calls and rows.

    ``once`` hands both arguments over as iterators, which can be read a single time; ``twins``
    lets the training return every measurement twice.
    """
    calls: list[tuple[Any, Any, Any]] = []
    dims, all_seeds = list(head_dims), list(seeds)
    if once:
        head_dims, seeds = iter(dims), iter(all_seeds)

    def train_fn(head_dim: Any, scaled: Any, seed: Any) -> list[tuple[int, float]]:
        if isinstance(scaled, bool) and head_dim in dims and seed in all_seeds:
            calls.append((int(head_dim), scaled, int(seed)))
        elif not isinstance(scaled, bool) and isinstance(seed, bool):
            fail(
                f"train_fn was called with scaled={scaled!r} and seed={seed!r}.",
                "the order is train_fn(head_dim, scaled, seed)",
            )
        elif not isinstance(scaled, bool):
            fail(f"train_fn was called with scaled={scaled!r}.", "`scaled` is a bool: True, False")
        else:
            fail(
                f"train_fn was called with head_dim={head_dim!r}, seed={seed!r}; head_dims is "
                f"{dims}, seeds is {all_seeds}.",
                "each head_dim with each seed, as given; a pair, scaled and not, shares its seed",
            )
        return curve(int(head_dim), scaled, int(seed))

    def curve(head_dim: int, scaled: bool, seed: int) -> list[tuple[int, float]]:
        count = 1 + (head_dim + seed + scaled) % longest
        up = 0.1237 if scaled else -0.0719
        points = [
            (25 * (i + 1) + head_dim, 0.5 + up * (i - (i > 1)) / longest + seed / 1e4)
            for i in range(count)
        ]
        return points * 2 if twins else points

    table = call(answer, train_fn, head_dims, seeds)
    wanted = list(itertools.product(dims, (True, False), all_seeds))
    keys = [(int(d), s, int(r)) for d, s, r in wanted]
    if sorted(calls) != sorted(keys):
        repeated = sorted({c for c in calls if calls.count(c) > 1})
        absent = [c for c in keys if c not in calls]
        if repeated:
            fail(
                f"train_fn(head_dim, scaled, seed) was called more than once with {repeated[0]}.",
                "call it once per combination and keep what it returns",
            )
        fail(
            f"train_fn was called for {len(calls)} of {len(keys)} combinations; missing is "
            f"head_dim={absent[0][0]}, scaled={absent[0][1]}, seed={absent[0][2]}.",
            "`head_dims` and `seeds` may be generators, which can be read once: make lists first"
            if once
            else "every head_dim with every seed, once scaled and once not",
        )
    rows = [(*key, step, accuracy) for key in keys for step, accuracy in curve(*key)]
    _compare_rows(table, rows, twins)


def _compare_rows(table: Any, rows: list[tuple[Any, ...]], twins: bool) -> None:
    import pandas as pd

    columns = ["head_dim", "scaled", "seed", "step", "accuracy"]
    require(isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {kind_of(table)}.")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        fail(
            f"The table has no column {', '.join(missing)}; it has {list(map(str, table.columns))}"
            ".",
            "one column each for head_dim, scaled, seed, step and accuracy, none in the index",
        )
    if len(table) != len(rows):
        fail(
            f"Expected {len(rows)} rows, one per (step, accuracy) pair, got {len(table)}.",
            "two equal measurements are two rows: drop no duplicates"
            if twins
            else "keep every step of every run and every seed, not the last or a mean",
        )
    values = list(table[columns].itertuples(index=False, name=None))
    if any(isinstance(v, list | tuple | str | np.ndarray) for row in values for v in row):
        bad = next(
            v for row in values for v in row if isinstance(v, list | tuple | str | np.ndarray)
        )
        fail(
            f"A cell holds {bad!r:.60}; one number, or for `scaled` a bool, was expected.",
            "one row per (step, accuracy)",
        )

    def order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[float, ...]]:
        return sorted(tuple(float(v) for v in row) for row in rows)

    got, want = order(values), order(rows)
    for i, name in enumerate(columns):
        if not np.allclose(
            sorted(row[i] for row in got), sorted(row[i] for row in want), rtol=1e-9, atol=1e-9
        ):
            fail(
                f"The column {name} holds other values than train_fn was given or returned.",
                "values go into the table unchanged: no rounding, per cent, new numbering",
            )
    if not np.allclose(got, want, rtol=1e-9, atol=1e-9):
        i = next(i for i, (a, b) in enumerate(zip(got, want, strict=True)) if not np.allclose(a, b))
        fail(
            f"Expected a row {dict(zip(columns, want[i], strict=True))},\n"
            f"got {dict(zip(columns, got[i], strict=True))}.",
            "a curve stands beside the head_dim, scaled and seed of another run",
        )
