"""Pictures that all notebooks share: one style, curves, bars, heat maps, attention maps.

Every function draws into ``ax`` (a new axes when None), labels it and returns it; nothing is
shown or saved. Domain pictures live in modules of their own beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

__all__ = ["PALETTE", "attention_map", "bars", "curves", "heat_map", "use_style", "word_bars"]


# seaborn's colour-blind palette, its light colours darkened until each reaches a contrast of 3:1 on
# white (WCAG 2.2 for graphics), the first and the fourth 4.5:1, so that words can wear them too.
PALETTE = (
    *("#0173b2", "#cd8405", "#029e73", "#c25500", "#cb76bb"),
    *("#c48550", "#f650c4", "#8c8c8c", "#9e950f", "#1e9be2"),
)


def use_style() -> None:
    """Set the course's look: a colour-blind palette with contrast, readable at 800 pixels."""
    sns.set_theme(
        context="notebook",
        style="whitegrid",
        palette=PALETTE,
        rc={
            "figure.figsize": (8.0, 4.0),
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.constrained_layout.use": True,
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "legend.frameon": False,
        },
    )


def _axes(ax: Axes | None, figsize: tuple[float, float] | None = None) -> Axes:
    return plt.subplots(figsize=figsize)[1] if ax is None else ax


def curves(
    history: pd.DataFrame | Mapping[str, pd.DataFrame],
    columns: str | Sequence[str],
    *,
    x: str = "epoch",
    ylabel: str,
    xlabel: str | None = None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw columns of a training history, or one column of several histories.

    Parameters
    ----------
    history
        What :func:`course_utils.training.fit` returned, or name -> history to compare runs.
    columns
        Column or columns to draw against ``x``.
    labels
        Legend entries for the columns of a single history; their names by default.
    """
    ax = _axes(ax)
    names = [columns] if isinstance(columns, str) else list(columns)
    runs = history if isinstance(history, Mapping) else {"": history}
    shown = list(labels or names)
    markers = iter("osD^vPX*<>" * 10)
    for run, frame in runs.items():
        for name, text in zip(names, shown, strict=True):
            label = text if not run else run if len(names) == 1 else f"{run}: {text}"
            ax.plot(frame[x], frame[name], marker=next(markers), markersize=4, label=label)
    ax.set(xlabel=xlabel or x, ylabel=ylabel)
    if title:
        ax.set_title(title)
    if len(runs) * len(names) > 1:
        ax.legend()
    return ax


def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    xlabel: str,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    reference: float | None = None,
    reference_label: str | None = None,
    xlim: tuple[float, float] | None = None,
    digits: int = 3,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw horizontal bars, top to bottom in the order given, with intervals and values.

    Parameters
    ----------
    low, high
        Ends of the interval of each bar (not distances from it).
    reference
        Draws a dashed line, e.g. chance.
    """
    heights = np.asarray(values, dtype=float)
    ax = _axes(ax, (8.0, 0.45 * len(heights) + 1.2))
    places = np.arange(len(heights))
    colors = sns.color_palette(PALETTE, len(heights))
    ax.barh(places, heights, color=colors, height=0.65)
    tips = heights
    if low is not None and high is not None:
        tips = np.asarray(high, dtype=float)
        errors = np.abs(np.stack([heights - np.asarray(low, dtype=float), tips - heights]))
        ax.errorbar(heights, places, xerr=errors, fmt="none", ecolor="black", capsize=3)
    for place, value, tip in zip(places, heights, tips, strict=True):
        offset = (5, 0)
        ax.annotate(
            f"{value:.{digits}f}",
            (max(tip, value), place),
            offset,
            textcoords="offset points",
            va="center",
        )
    if reference is not None:
        ax.axvline(reference, color="black", linestyle="--", linewidth=1, label=reference_label)
        if reference_label:
            ax.legend(loc="lower right")
    ax.set_yticks(places, list(names))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(xlabel)
    ax.set_xlim(xlim) if xlim else ax.margins(x=0.2)
    if title:
        ax.set_title(title)
    return ax


def heat_map(
    matrix: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    ylabel: str = "",
    xlabel: str = "",
    colorbar: str = "",
    annotate: bool = False,
    digits: int = 2,
    vmin: float | None = None,
    vmax: float | None = None,
    cmap: str = "Blues",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix ``(rows, columns)`` with its names on the axes and a labelled colour bar."""
    matrix = np.asarray(matrix)
    if matrix.shape != (len(rows), len(columns)):
        raise ValueError(
            f"matrix has shape {matrix.shape}, names say ({len(rows)}, {len(columns)})"
        )
    size = (min(8.0, 2.0 + 0.34 * len(columns)), 1.6 + 0.24 * len(rows))
    ax = _axes(ax, size)
    sns.heatmap(
        matrix,
        xticklabels=list(columns),
        yticklabels=list(rows),
        annot=annotate,
        fmt=f".{digits}f",
        vmin=vmin,
        vmax=vmax,
        cmap=cmap,
        cbar=bool(colorbar),
        cbar_kws={"label": colorbar},
        ax=ax,
    )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if title:
        ax.set_title(title)
    return ax


def attention_map(
    weights: np.ndarray,
    key_words: Sequence[str],
    query_words: Sequence[str] | None = None,
    *,
    highlight: Mapping[int, str] | None = None,
    vmax: float | None = None,
    fontsize: float = 8.0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one head's attention ``(T, S)`` with words on both axes.

    Parameters
    ----------
    weights
        A row for each query, a column for each key; tensors on the CPU work too.
    key_words, query_words
        Words of the columns and of the rows; the rows have the columns' words by default.
    highlight
        Position -> colour, for the words on both axes (say a finding and its cue).
    """
    weights = np.asarray(weights)
    query_words = key_words if query_words is None else query_words
    if weights.shape != (len(query_words), len(key_words)):
        raise ValueError(
            f"weights has shape {weights.shape}, the words say "
            f"({len(query_words)}, {len(key_words)})"
        )
    ax = _axes(ax, (6.5, 6.0))
    image = ax.imshow(weights, cmap="Blues", vmin=0.0, vmax=vmax, aspect="auto")
    ax.set_xticks(range(len(key_words)), key_words, rotation=90, fontsize=fontsize)
    ax.set_yticks(range(len(query_words)), query_words, fontsize=fontsize)
    for axis in (ax.get_xticklabels(), ax.get_yticklabels()):
        for position, color in (highlight or {}).items():
            if position < len(axis):
                axis[position].set(color=color, fontweight="bold")
    ax.grid(visible=False)
    ax.set(xlabel="attended word (key)", ylabel="attending word (query)")
    if title:
        ax.set_title(title)
    ax.figure.colorbar(image, ax=ax, label="attention weight", shrink=0.8)
    return ax


def word_bars(
    words: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    ylabel: str,
    highlight: Mapping[int, str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one or several numbers per word of a text as grouped bars, words on the x axis."""
    ax = _axes(ax, (8.0, 3.2))
    width = 0.8 / len(series)
    places = np.arange(len(words))
    for i, (name, values) in enumerate(series.items()):
        ax.bar(places + (i - (len(series) - 1) / 2) * width, values, width, label=name)
    ax.set_xticks(places, words, rotation=60, ha="right", fontsize=9)
    for position, color in (highlight or {}).items():
        ax.get_xticklabels()[position].set(color=color, fontweight="bold")
    ax.grid(visible=False, axis="x")
    ax.set_ylabel(ylabel)
    if len(series) > 1:
        ax.legend()
    if title:
        ax.set_title(title)
    return ax
