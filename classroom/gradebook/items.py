"""Item analysis: how hard an exercise was, whether it tells good students from others, and faults.

References
----------
Lord, Novick (1968), "Statistical theories of mental test scores"; Cronbach (1951), "Coefficient
alpha and the internal structure of tests", Psychometrika 16(3); Fisher (1921), "On the probable
error of a coefficient of correlation", Metron 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Analysis", "Item", "analyse", "cronbach", "item_rest", "matrix"]

FEWEST = 8  # students below whom no correlation is given
MANY = 0.6  # share of the wrong answers with one message
BEST = 0.25  # share of the class that counts as the best


@dataclass
class Item:
    """One exercise over a class.

    Attributes
    ----------
    name, number
        The exercise, and the students whose result is known.
    difficulty
        Mean share of its points, 0 to 1: high is easy.
    discrimination, low, high
        Correlation of its points with the points of all others, with a 95 % interval; nan where
        there are too few students or all have the same points.
    attempted
        Share of the students who wrote something.
    seconds
        Median wall time of judging it.
    doubts
        Why its check should be looked at; empty when nothing is striking.
    """

    name: str
    number: int
    difficulty: float
    discrimination: float
    low: float
    high: float
    attempted: float
    seconds: float = 0.0
    doubts: list[str] = field(default_factory=list)


@dataclass
class Analysis:
    """The exercises of one assignment, in their order, and Cronbach's alpha over them."""

    items: list[Item]
    alpha: float


def matrix(results: Sequence[Mapping[str, Any]]) -> tuple[list[str], np.ndarray]:
    """Names of the exercises, and the share of the points, ``(students, exercises)``.

    nan where there is no result; of submissions that were graded only.
    """
    graded = [r for r in results if r["status"] == "graded"]
    names = list(dict.fromkeys(name for r in graded for name in r["exercises"]))
    shares = np.full((len(graded), len(names)), np.nan)
    for row, result in enumerate(graded):
        for column, name in enumerate(names):
            entry = result["exercises"].get(name)
            if entry is not None and entry["status"] != "failed" and entry["max_points"]:
                shares[row, column] = entry["points"] / entry["max_points"]
    return names, shares


def item_rest(shares: np.ndarray, column: int) -> tuple[float, float, float]:
    """Correlation of an exercise with the mean of the others, and its 95 % interval.

    Parameters
    ----------
    shares
        Shares of the points, ``(students, exercises)``, nan where there is none.

    Returns
    -------
    Correlation, low and high (Fisher's transformation); nan with too few students or no spread.
    """
    others = np.delete(shares, column, axis=1)
    known = ~np.isnan(shares[:, column]) & (~np.isnan(others)).any(axis=1)
    mine = shares[known, column]
    rest = np.array([row[~np.isnan(row)].mean() for row in others[known]])
    if len(mine) < FEWEST or np.ptp(mine) < 1e-12 or np.ptp(rest) < 1e-12:
        return math.nan, math.nan, math.nan
    r = float(np.corrcoef(mine, rest)[0, 1])
    z, half = math.atanh(max(-0.999999, min(0.999999, r))), 1.96 / math.sqrt(len(mine) - 3)
    return r, math.tanh(z - half), math.tanh(z + half)


def cronbach(shares: np.ndarray) -> float:
    """Cronbach's alpha over the students with a result in every exercise; nan where undefined."""
    whole = shares[~np.isnan(shares).any(axis=1)]
    count = whole.shape[1] if whole.ndim == 2 else 0
    if len(whole) < FEWEST or count < 2:
        return math.nan
    total = whole.sum(axis=1).var(ddof=1)
    if total < 1e-12:
        return math.nan
    return float(count / (count - 1) * (1 - whole.var(axis=0, ddof=1).sum() / total))


def analyse(results: Sequence[Mapping[str, Any]]) -> Analysis:
    """Analyse the exercises of one assignment from the judge's results."""
    names, shares = matrix(results)
    graded = [r for r in results if r["status"] == "graded"]
    items = []
    for column, name in enumerate(names):
        mine = shares[:, column]
        known = mine[~np.isnan(mine)]
        r, low, high = item_rest(shares, column)
        entries = [r["exercises"][name] for r in graded if name in r["exercises"]]
        tried = [e["status"] != "not attempted" for e in entries]
        item = Item(
            name,
            len(known),
            float(known.mean()) if len(known) else math.nan,
            r,
            low,
            high,
            sum(tried) / max(1, len(tried)),
            float(np.median([e.get("seconds", 0.0) for e in entries])) if entries else 0.0,
        )
        item.doubts = _doubts(item, shares, column, entries)
        items.append(item)
    return Analysis(items, cronbach(shares))


def _doubts(
    item: Item, shares: np.ndarray, column: int, entries: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What speaks for a fault of the check, or of the text, rather than of the students."""
    found = []
    if item.high < 0.15:
        found.append("those who do well elsewhere do no better here")
    others = np.delete(shares, column, axis=1)
    rows = np.flatnonzero(~np.isnan(shares[:, column]) & (~np.isnan(others)).any(axis=1))
    best = max(1, round(BEST * len(rows)))
    if len(rows) >= FEWEST:
        rest = np.array([row[~np.isnan(row)].mean() for row in others[rows]])
        top = rows[np.argsort(-rest, kind="stable")[:best]]
        if shares[top, column].mean() < 0.5 and rest[np.argsort(-rest)[:best]].mean() > 0.8:
            found.append("the best quarter of the class gets less than half of its points")
    wrong = [e["message"] for e in entries if e["status"] == "wrong"]
    if len(wrong) >= 5:
        words = [_kind(message) for message in wrong]
        most = max(set(words), key=words.count)
        share = words.count(most) / len(words)
        if share >= MANY and len(wrong) >= 0.3 * len(entries):
            found.append(f"one message for {100 * share:.0f} % of the wrong answers: {most[:120]}")
    return found


def _kind(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = next((line for line in lines if line.startswith("It looks like this")), "")
    return re.sub(r"\b\d[\d.e+-]*", "#", text or (lines[1] if len(lines) > 1 else "".join(lines)))
