"""The claims' ledger: what every claimed figure stands on, over seeds, in ``docs/claims.md``.

A causal claim ("because", "cures", "separates", "explains") names its control, the run in which
only that one thing differs. The ledger compares the two by seed: figure, control's figure, mean
paired difference with its 95 % interval, verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import claims

SEEDS = 5  # fewer justify no band
_INTRODUCTION = """\
Written by `make bench`. Every figure that a notebook's text relies on, over seeds. A claim about a
cause stands beside its **control**, a run in which only that one thing differs; the difference is
taken seed by seed, with a 95 % interval over the seeds. *Holds*: all figures lie in their bands
and the whole interval in the expected difference. *Open*: the interval reaches beyond it.
*Fails*: a figure or the mean difference lies outside. Figures differ a little by machine and by
version of torch; bands leave room for that.""".splitlines()


def paired_difference(
    values: Sequence[float], controls: Sequence[float]
) -> tuple[float, float, float]:
    """Mean of the paired differences with its 95 % interval (Student's t over the pairs).

    Raises
    ------
    ValueError
        If the two differ in length or there are fewer than two pairs.
    """
    from scipy import stats

    if len(values) != len(controls) or len(values) < 2:
        raise ValueError(f"need two or more pairs, got {len(values)} and {len(controls)} figures")
    gaps = np.asarray(values, dtype=float) - np.asarray(controls, dtype=float)
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / math.sqrt(len(gaps))
    return float(gaps.mean()), float(gaps.mean() - half), float(gaps.mean() + half)


def verdict(band: Mapping[str, Any]) -> str:
    """What the seeds say about a claim, in a few words.

    ``holds``: every figure lies in its band and, where there is a control, the whole interval of
    the difference in the difference's band. ``open``: the interval reaches beyond it. ``fails``:
    a figure or the mean difference lies outside. ``not measured``: too few runs to say.
    """
    measured = band.get("measured", {})
    values, controls = measured.get("values", []), measured.get("controls", [])
    if not values or ("control" in band and len(controls) < max(2, len(values))):
        return "not measured"
    if not all(claims.inside(value, band) for value in values):
        return "fails"
    if "control" not in band:
        return "holds"
    mean, low, high = paired_difference(values, controls)
    if not claims.inside(mean, band["control"]):
        return "fails"
    ends = (low, high)
    return "holds" if all(claims.inside(end, band["control"]) for end in ends) else "open"


def justified(values: Sequence[float]) -> tuple[float, float]:
    """Limits that the seeds justify: mean ± 5 standard deviations of a further run.

    With five seeds that is about the 99 % prediction interval of Student's t. A deviation below
    1 % of the mean or .004 is taken as that: machines differ a little where seeds do not.
    """
    mean = float(np.mean(values))
    spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / len(values))
    half = 5 * max(spread, 0.004, 0.01 * abs(mean))
    return mean - half, mean + half


def narrowed(band: Mapping[str, Any]) -> dict[str, float | None]:
    """The limits of a band, drawn in where they are wider than its seeds justify.

    A missing limit stays missing; limits are rounded outwards. Without five seeds, or with a
    reason under ``wide``, nothing changes.
    """
    limits: dict[str, float | None] = {"low": band["low"], "high": band["high"]}
    values = band.get("measured", {}).get("values", [])
    if len(values) < SEEDS or band.get("wide"):
        return limits
    low, high = justified(values)
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    digits = max(0, -round(math.log10(step)))
    low, high = (
        round(math.floor(low / step) * step, digits),
        round(math.ceil(high / step) * step, digits),
    )
    if limits["low"] is not None:
        limits["low"] = max(limits["low"], low)
    if limits["high"] is not None:
        limits["high"] = min(limits["high"], high)
    return limits


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" if len(values) else "–"


def causal_row(band: Mapping[str, Any]) -> str:
    """One row of the table of causal claims."""
    measured = band.get("measured", {})
    values, controls = measured.get("values", []), measured.get("controls", [])
    gap = "–"
    if len(values) == len(controls) > 1:
        mean, low, high = paired_difference(values, controls)
        gap = f"{_signed(mean)} ({_signed(low)} to {_signed(high)})"
    said = band.get("says", band["what"])
    named = "" if said == band["what"] else f" *({band['what']})*"
    return (
        f"| {said}{named} | {_mean(values)} | {band['control']['what']} | {_mean(controls)} "
        f"| {gap} | {claims.words(band['control'])} | {len(values)} | {verdict(band)} |"
    )


def plain_row(band: Mapping[str, Any]) -> str:
    """One row of the table of the other figures."""
    values = band.get("measured", {}).get("values", [])
    ends = f"{min(values):.3f} to {max(values):.3f}" if values else "–"
    return f"| {band['what']} | {claims.words(band)} | {len(values)} | {ends} | {verdict(band)} |"


def page(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """``docs/claims.md`` from the bands of every notebook."""
    lines = ["# Claims", "", *_INTRODUCTION, ""]
    for name, bands in tables.items():
        causal = [band for band in bands.values() if "control" in band]
        plain = [band for band in bands.values() if "control" not in band]
        lines += [f"## {name}", ""]
        if causal:
            lines += [
                "| claim | figure | control | its figure | difference (95 %) | expected | seeds "
                "| verdict |",
                "| --- | ---: | --- | ---: | ---: | --- | ---: | --- |",
                *(causal_row(band) for band in causal),
                "",
            ]
        if plain:
            lines += [
                "| figure | band | seeds | measured | verdict |",
                "| --- | --- | ---: | --- | --- |",
                *(plain_row(band) for band in plain),
                "",
            ]
    return "\n".join(lines).rstrip() + "\n"
