"""The source rows of synthetic ICU stays: background, planted events, last hours."""

from __future__ import annotations

import numpy as np

from course_utils.data.icu.catalogue import (
    GROUPS,
    LABS,
    LACTATE,
    LACTATE_BACKGROUND_MAX,
    NOREPINEPHRINE,
    PLANTED_ITEMS,
    UNKNOWN_VALUE,
    WINDOW_MINUTES,
)
from course_utils.data.icu.timeline import Timeline


def draw_rows(
    timeline: Timeline,
    planted: dict[str, np.ndarray],
    events_per_stay: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """All source rows of all stays: ``stay, type, item, minutes, lag, tick, rank``, (R,) each.

    ``minutes`` is when a row became known, since the stay's intime; ``lag`` how long before that
    the sample was taken; ``tick`` a laboratory value in units of its last decimal.
    """
    n, total = timeline.n_eligible, len(timeline.patient)
    # Background: groups of rows at one time, from 12 hours before the stay to some days into it.
    shares = np.array([g[3] for g in GROUPS.values()])
    sizes = np.array([g[4] or g[2] - g[1] for g in GROUPS.values()])
    per_group = (shares * sizes).sum() / shares.sum()
    late = 120  # minutes: results still arrive after discharge or death
    end = np.minimum(timeline.minutes + late, WINDOW_MINUTES + 4320)
    span = np.minimum(end, WINDOW_MINUTES) + 0.4 * (np.maximum(end - WINDOW_MINUTES, 0) + 720)
    busy = np.exp(rng.normal(-0.08, 0.4, total))  # mean 1
    rate = np.maximum(events_per_stay - 2, 1) / per_group / WINDOW_MINUTES
    counts = rng.poisson(rate * busy * span)
    stay = np.repeat(np.arange(total), counts)
    place = rng.random(len(stay)) * span[stay]  # minutes on a clock that runs slower outside
    inside = np.minimum(end, WINDOW_MINUTES)[stay]
    minutes = np.where(
        place < inside, place, np.where(place < inside + 288, (inside - place) * 2.5, 0)
    )
    after = place >= inside + 288
    minutes[after] = (inside + (place - inside - 288) * 2.5)[after]
    group = rng.choice(len(GROUPS), len(stay), p=shares / shares.sum())
    rows = _expand_groups(stay, group, np.floor(minutes).astype(np.int64), rng)
    blocks = [rows, *_planted_blocks(planted), _last_hours(timeline, n, rng)]
    rows = {key: np.concatenate([b[key] for b in blocks]) for key in rows}
    is_late = (rows["type"] == 2) | (rows["type"] == 3)
    lag = np.where(rows["type"] == 3, 4380, 70) * np.exp(rng.normal(0, 0.5, len(is_late)))
    key = rows["stay"] * 1_000_000 + rows["minutes"] + 10_000
    first = np.unique(key, return_index=True, return_inverse=True)  # one sample, one delay
    rows["lag"] = np.where(is_late, lag[first[1][first[2].ravel()]], 0).astype(np.int64)
    rows["tick"] = _draw_values(rows, rng)
    rows["missing"] = rng.random(len(is_late))  # below some share a piece of the row is missing
    return rows


def _expand_groups(
    stay: np.ndarray, group: np.ndarray, minutes: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """One row per item of each group."""
    table = np.array([(g[0], g[1], g[2], g[4]) for g in GROUPS.values()])
    kind, low, high, some = table[group].T
    sizes = np.where(some > 0, some, high - low)
    index = np.repeat(np.arange(len(stay)), sizes)
    offset = np.arange(len(index)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = rng.integers(0, 1 << 30, len(index)) % np.maximum(high - low, 1)[index]
    item = low[index] + np.where(some[index] > 0, drawn, offset)
    return {
        "stay": stay[index],
        "type": kind[index],
        "item": item,
        "minutes": minutes[index],
        "planted": np.zeros(len(index), bool),
    }


def _block(stay: np.ndarray, kind: int, item: int, minutes: np.ndarray) -> dict[str, np.ndarray]:
    full = np.full(len(stay), 1)
    block = {"stay": stay, "type": full * kind, "item": full * item, "minutes": minutes}
    return block | {"planted": np.ones(len(stay), bool)}


def _planted_blocks(planted: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The rows of the planted events."""
    blocks = []
    for name, (kind, item) in PLANTED_ITEMS.items():
        stay = np.flatnonzero(planted[name] >= 0)
        blocks.append(_block(stay, kind, item, planted[name][stay]))
    return blocks


def _last_hours(timeline: Timeline, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """After the window: norepinephrine and a high lactate before most deaths in the unit."""
    stay = np.flatnonzero(timeline.died[:n] & (timeline.minutes_to_death == timeline.minutes)[:n])
    stay = stay[rng.random(len(stay)) < 0.8]
    span = timeline.minutes[stay] - WINDOW_MINUTES
    minutes = WINDOW_MINUTES + 2 + (rng.random(len(stay)) * (span - 2)).astype(np.int64)
    blocks = [_block(stay, 0, NOREPINEPHRINE, minutes), _block(stay, 2, LACTATE, minutes)]
    return {key: np.concatenate([b[key] for b in blocks]) for key in blocks[0]}


def _draw_values(rows: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Laboratory values as whole numbers of their last decimal; 0 for other rows."""
    noise, missing = rng.normal(size=len(rows["item"])), rng.random(len(rows["item"])) < 0.02
    high = rng.integers(40, 100, len(rows["item"]))  # a planted lactate of 4.0 to 9.9
    ticks = np.zeros(len(noise), np.int64)
    for item, (_, _, _, decimals, _, _, mean, deviation) in enumerate(LABS):
        here = (rows["type"] == 2) & (rows["item"] == item)
        value = np.round((mean + deviation * noise[here]) * 10**decimals).astype(np.int64)
        top = round(LACTATE_BACKGROUND_MAX * 10) if item == LACTATE else None
        ticks[here] = np.clip(value, 10 ** max(decimals - 1, 0), top)
        ticks[here & missing & ~rows["planted"]] = UNKNOWN_VALUE
    return np.where((rows["type"] == 2) & rows["planted"], high, ticks)
