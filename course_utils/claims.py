"""Figures that the notebooks claim, beside the bands in which they were measured.

A *band* says where a figure has to lie: a mapping with ``low`` and ``high``, either of which may be
``None``. Bands live in ``assets/bands/<notebook>.json``; ``make bench`` adds the values that
several seeds gave, with date and machine. A notebook shows a figure with :func:`claim`. With
``COURSE_STRICT=1`` a figure outside its band raises; otherwise what was expected and what came is
printed.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping
from importlib import resources
from typing import Any

__all__ = ["ClaimMissed", "bands", "claim", "inside", "seed", "words"]


class ClaimMissed(AssertionError):
    """A figure lies outside its band, and ``COURSE_STRICT`` is set."""


def seed() -> int:
    """Seed of this run: 0, or the environment variable ``COURSE_SEED``.

    Raises
    ------
    ValueError
        If ``COURSE_SEED`` is not a non-negative integer.
    """
    text = os.environ.get("COURSE_SEED", "0")
    if not text.isdecimal():
        raise ValueError(f"COURSE_SEED must be a non-negative integer, got {text!r}")
    return int(text)


@functools.cache
def bands(notebook: str) -> dict[str, dict[str, Any]]:
    """Bands of one notebook: name of the figure -> ``what``, ``low``, ``high``, ``measured``.

    Raises
    ------
    ValueError
        If there is no notebook of that name.
    """
    folder = resources.files("course_utils") / "assets" / "bands"
    file = folder / f"{notebook}.json"
    if not file.is_file():
        known = sorted(f.name.removesuffix(".json") for f in folder.iterdir() if ".json" in f.name)
        raise ValueError(f"notebook must be one of {known}, got {notebook!r}")
    return json.loads(file.read_text(encoding="utf-8"))


def inside(value: float, band: Mapping[str, Any]) -> bool:
    """Whether a figure lies in its band, the limits included; NaN never does."""
    low, high = band["low"], band["high"]
    return (
        not math.isnan(value) and (low is None or value >= low) and (high is None or value <= high)
    )


def words(band: Mapping[str, Any]) -> str:
    """A band in words: ``0.1 to 0.3``, ``at least 0.9`` or ``at most 0.8``."""
    low, high = band["low"], band["high"]
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def claim(notebook: str, name: str, value: float) -> bool:
    """Print a measured figure beside its band and return whether it lies inside.

    The figure is also appended to the file named by the environment variable ``COURSE_CLAIMS``, one
    JSON object a line, when that is set.

    Raises
    ------
    ValueError
        If the notebook has no band of that name.
    ClaimMissed
        If the figure is outside its band (NaN always is) and ``COURSE_STRICT`` is ``1``.
    """
    table = bands(notebook)
    if name not in table:
        raise ValueError(f"name must be one of {sorted(table)}, got {name!r}")
    band = table[name]
    value = float(value)
    fits = inside(value, band)
    line = f"{band['what']}: {value:.3f} (expected {words(band)}"
    values = band.get("measured", {}).get("values", [])
    if values:
        line += f"; {len(values)} seeds gave {min(values):.3f} to {max(values):.3f}"
    line += ")" if fits else "): outside"
    print(line)
    log = os.environ.get("COURSE_CLAIMS")
    if log:
        record = {"notebook": notebook, "name": name, "what": band["what"], "value": value}
        record |= {"low": band["low"], "high": band["high"], "inside": fits, "seed": seed()}
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    if not fits and os.environ.get("COURSE_STRICT") == "1":
        raise ClaimMissed(line)
    return fits
