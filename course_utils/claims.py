"""Figures that the notebooks claim, beside the bands in which they were measured.

A *band* says where a figure has to lie: a mapping with ``low`` and ``high``, either of which may be
``None``. Bands live in ``assets/bands/<notebook>.json``; ``make bench`` adds the values that
several seeds gave, with date and machine. A notebook shows a figure with :func:`claim`. With
``COURSE_STRICT=1`` a figure outside its band raises; otherwise what was expected and what came is
printed. Figures differ a little by machine and version of torch; bands leave room for that.

A claim about a *cause* has a control, the run in which only that one thing differs. Its band holds
``control`` with ``what``, ``low`` and ``high`` of the difference *figure minus control's figure*,
and may hold ``says``, the sentence. A claim is causal when its band says ``"causal": true`` or its
words contain *because*, *cures*, *separates* or *explains*.
"""

from __future__ import annotations

import functools
import json
import math
import os
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

__all__ = ["ClaimMissed", "bands", "claim", "inside", "is_causal", "seed", "words"]

_CAUSAL = re.compile(r"\b(because|cure[sd]?|separate[sd]?|explain(s|ed)?)\b", re.IGNORECASE)


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


def is_causal(band: Mapping[str, Any]) -> bool:
    """Whether a claim names a cause: it is marked so, or its words do."""
    return bool(band.get("causal")) or bool(
        _CAUSAL.search(f"{band['what']} {band.get('says', '')}")
    )


def claim(notebook: str, name: str, value: float, *, control: float | None = None) -> bool:
    """Print a measured figure beside its band and return whether it lies inside.

    The figure is also appended to the file named by the environment variable ``COURSE_CLAIMS``, one
    JSON object a line, when that is set.

    Parameters
    ----------
    notebook, name
        Which band.
    value
        The figure.
    control
        The same figure of the control run, in which only the claimed cause differs; needed exactly
        when the band has a control. Then the difference has to lie in its band as well.

    Raises
    ------
    ValueError
        If the notebook has no band of that name, or ``control`` is missing or too many.
    ClaimMissed
        If a figure is outside its band (NaN always is) and ``COURSE_STRICT`` is ``1``.
    """
    table = bands(notebook)
    if name not in table:
        raise ValueError(f"name must be one of {sorted(table)}, got {name!r}")
    band = table[name]
    if (control is None) == ("control" in band or is_causal(band)):
        wanted = "needs the figure of its control run" if control is None else "has no control"
        raise ValueError(f"{name} {wanted}, got control={control!r}")
    value = float(value)
    fits = inside(value, band)
    line = f"{band['what']}: {value:.3f} (expected {words(band)}{_measured(band, 'values')})"
    line += "" if fits else ": outside"
    record = {"notebook": notebook, "name": name, "what": band["what"], "value": value}
    if control is not None:
        expected, gap = band["control"], value - float(control)
        record |= {"control": float(control)}
        line += (
            f"\n  control, {expected['what']}: {control:.3f}; difference {gap:+.3f} "
            f"(expected {words(expected)}{_measured(band, 'differences')})"
        )
        if not inside(gap, expected):
            fits, line = False, line + ": outside"
    print(line)
    log = os.environ.get("COURSE_CLAIMS")
    if log:
        record |= {"low": band["low"], "high": band["high"], "inside": fits, "seed": seed()}
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    if not fits and os.environ.get("COURSE_STRICT") == "1":
        raise ClaimMissed(line)
    return fits


def _measured(band: Mapping[str, Any], which: str) -> str:
    """What the seeds gave, as the end of a bracket."""
    measured = band.get("measured", {})
    values = measured.get("values", [])
    if which == "differences":
        values = [v - c for v, c in zip(values, measured.get("controls", []), strict=False)]
    if not values:
        return ""
    return f"; {len(values)} seeds gave {min(values):.3f} to {max(values):.3f}"
