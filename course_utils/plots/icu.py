"""Pictures of ICU stays: events in time, calibration, decisions, groups, attention of heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from course_utils.data.icu.catalogue import EVENT_TYPES
from course_utils.plots.figures import PALETTE

__all__ = [
    "calibration",
    "decision_curve",
    "event_bars",
    "head_bars",
    "short_text",
    "stay_timeline",
    "subgroups",
]


def _axes(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    return plt.subplots(figsize=figsize)[1] if ax is None else ax


def stay_timeline(
    events: pd.DataFrame,
    *,
    highlight: Mapping[tuple[str, float], str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the events of one stay: a row per type, a mark per event, some of them named.

    Parameters
    ----------
    events
        ``event_type, event_text, minutes_since_admission`` of one stay.
    highlight
        (event text, minutes since admission) -> the name written at the mark of that event.
    """
    ax = _axes(ax, (8.0, 3.2))
    colours = sns.color_palette(PALETTE, len(EVENT_TYPES))
    for row, kind in enumerate(EVENT_TYPES):
        part = events[events["event_type"] == kind]
        minutes = part["minutes_since_admission"]
        ax.plot(minutes / 60, np.full(len(part), row), "|", ms=14, mew=1.5, color=colours[row])
        for key in zip(part["event_text"], minutes, strict=True):
            if highlight and key in highlight:
                hour = key[1] / 60
                ax.plot(hour, row, "o", ms=9, mfc="none", mec="black", mew=1.3)
                ax.annotate(
                    highlight[key],
                    (hour, row),
                    xytext=(0, 9),
                    textcoords="offset points",
                    ha="left" if hour < 36 else "right",
                    fontsize=8.5,
                )
    ax.set_yticks(range(len(EVENT_TYPES)), EVENT_TYPES)
    ax.set_ylim(-0.6, len(EVENT_TYPES) - 0.2)
    ax.set_xlim(-0.5, 48.5)
    ax.set_xlabel("hours since admission to the ICU")
    ax.grid(axis="y", visible=False)
    if title:
        ax.set_title(title)
    return ax


def calibration(
    outcome: np.ndarray,
    risks: Mapping[str, np.ndarray],
    *,
    bins: int = 6,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw observed mortality against predicted risk, in groups of equal size, with intervals."""
    from course_utils.metrics import wilson_interval

    ax = _axes(ax, (5.0, 4.4))
    ax.plot([0, 1], [0, 1], color="0.5", lw=1, ls="--", label="perfect")
    top = 0.0
    for i, (name, risk) in enumerate(risks.items()):
        groups = np.array_split(np.argsort(risk, kind="stable"), bins)
        x = np.array([risk[g].mean() for g in groups]) + 0.004 * i
        y = np.array([outcome[g].mean() for g in groups])
        spans = np.array([wilson_interval(int(outcome[g].sum()), len(g)) for g in groups])
        error = np.abs([y - spans[:, 0], spans[:, 1] - y])  # rounding: never below 0
        ax.errorbar(x, y, error, marker="o", capsize=3, label=name)
        top = max(top, x.max(), spans.max())
    ax.set(xlim=(0, top + 0.03), ylim=(0, top + 0.03))
    ax.set_xlabel("predicted risk (mean of the group)")
    ax.set_ylabel("observed mortality")
    ax.legend(loc="upper left")
    if title:
        ax.set_title(title)
    return ax


def decision_curve(
    outcome: np.ndarray,
    risks: Mapping[str, np.ndarray],
    *,
    thresholds: Sequence[float] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the net benefit of acting on each model, beside acting on everyone and on no one.

    Parameters
    ----------
    thresholds
        Risks from which on one would act; 0.02 to 0.5 by default.

    References
    ----------
    Vickers and Elkin, Decision curve analysis, Medical Decision Making, 2006.
    """
    from course_utils.metrics import net_benefit

    ax = _axes(ax, (7.0, 4.0))
    at = np.linspace(0.02, 0.5, 49) if thresholds is None else np.asarray(thresholds, dtype=float)
    everyone = np.ones(len(outcome))
    ax.plot(at, [net_benefit(outcome, everyone, t) for t in at], "k--", lw=1, label="everyone")
    ax.axhline(0, color="0.5", lw=1, ls=":", label="no one")
    for name, risk in risks.items():
        ax.plot(at, [net_benefit(outcome, risk, t) for t in at], label=name)
    top = float(np.mean(outcome))
    ax.set(ylim=(-0.3 * top, 1.05 * top), xlim=(0, float(at.max())))
    ax.set(xlabel="act from this risk on", ylabel="net benefit (deaths found a patient)")
    ax.legend()
    if title:
        ax.set_title(title)
    return ax


def subgroups(
    table: pd.DataFrame, *, by: str, reference: float, xlabel: str, ax: Axes | None = None
) -> Axes:
    """Draw one measure by group with intervals; a colour for each kind of group.

    Parameters
    ----------
    table
        Columns ``group``, ``patients``, ``deaths``, ``value``, ``low``, ``high`` and the one named
        by ``by``; where ``value`` is missing, the row says so.
    reference
        The measure for all, a dashed line.
    """
    ax = _axes(ax, (8.0, 0.3 * len(table) + 1.0))
    colours = dict(zip(table[by].unique(), PALETTE, strict=False))
    for row, (_, line) in enumerate(table.iterrows()):
        if np.isnan(line["value"]):
            words = "too few deaths to say"
            ax.annotate(
                words, (reference, row), (6, 0), textcoords="offset points", va="center", fontsize=9
            )
            continue
        spread = [[line["value"] - line["low"]], [line["high"] - line["value"]]]
        ax.errorbar(line["value"], row, xerr=spread, fmt="o", capsize=3, color=colours[line[by]])
    names = [
        f"{line['group']} ({line['patients']}, {line['deaths']})" for _, line in table.iterrows()
    ]
    ax.set_yticks(range(len(table)), names, fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.axvline(reference, color="black", ls="--", lw=1)
    ax.set_xlabel(xlabel)
    return ax


def short_text(text: str, width: int = 34) -> str:
    """Shorten an event's text for an axis; its end stays: *abnormal*, a dose, resistant or not."""
    for doubled in ("Blood Culture, Routine", "URINE CULTURE", "RESPIRATORY CULTURE"):
        text = text.replace(f" {doubled}", "", 1)
    text = text.replace("MRSA SCREEN MRSA SCREEN", "MRSA SCREEN").replace(" abnormal", "*")
    return text if len(text) <= width else f"{text[: width - 11]}…{text[-10:]}"


def head_bars(
    weights: np.ndarray,
    hours: Sequence[float],
    *,
    is_event: Sequence[bool] | None = None,
    title: str | None = None,
) -> np.ndarray:
    """Draw the pooling weights of each head over time, (H, T), one panel a head.

    The dotted line is 1 / T over real events, those that ``is_event`` names (all by default).
    """
    alike = 1 / (weights.shape[1] if is_event is None else int(np.sum(is_event)))
    figure, axes = plt.subplots(
        len(weights), 1, figsize=(8.0, 1.15 * len(weights) + 0.9), sharex=True, sharey=True
    )
    colours = sns.color_palette(PALETTE, len(weights))
    for head, (ax, row) in enumerate(zip(np.atleast_1d(axes), weights, strict=True)):
        ax.vlines(hours, 0, row, color=colours[head], lw=2)
        ax.axhline(alike, color="0.4", lw=1, ls=":")
        ax.set_ylabel(f"head {head + 1}")
    np.atleast_1d(axes)[-1].set_xlabel("hours since admission to the ICU")
    if title:
        figure.suptitle(title, fontsize="medium", fontweight="bold")
    return np.atleast_1d(axes)


def event_bars(
    names: Sequence[str],
    scores: Sequence[float],
    *,
    is_cause: Sequence[bool],
    xlabel: str,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one bar per event, top to bottom; planted ones in another colour and hatched."""
    ax = _axes(ax, (8.0, 0.3 * len(names) + 1.0))
    cause, other = PALETTE[3], "0.5"
    for row, (score, planted) in enumerate(zip(scores, is_cause, strict=True)):
        ax.barh(row, score, color=cause if planted else other, hatch="//" if planted else None)
    ax.set_yticks(range(len(names)), names, fontsize=8.5)
    ax.invert_yaxis()
    ax.axvline(0, color="0.2", lw=0.8)
    ax.set_xlabel(xlabel)
    handles = [
        plt.Rectangle((0, 0), 1, 1, fc=cause, hatch="//"),
        plt.Rectangle((0, 0), 1, 1, fc=other),
    ]
    ax.legend(handles, ["planted cause", "other"], loc="lower right")
    if title:
        ax.set_title(title)
    return ax
