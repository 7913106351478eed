"""Pictures that all notebooks share: one style, curves, bars, heat maps, attention maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

__all__ = [
    "GUESS_COLOR",
    "PALETTE",
    "attention_map",
    "bars",
    "curves",
    "heat_map",
    "mark_guess",
    "use_style",
    "word_bars",
]


# seaborn's colour-blind palette, its light colours darkened until each reaches a contrast of 3:1 on
# white (WCAG 2.2 for graphics), the first and the fourth 4.5:1, so that words can wear them too.
PALETTE = (
    *("#0173b2", "#cd8405", "#029e73", "#c25500", "#cb76bb"),
    *("#c48550", "#f650c4", "#8c8c8c", "#9e950f", "#1e9be2"),
)
GUESS_COLOR = "#b0125b"  # of the student's own mark, and of nothing else in the course


class GuessLike(Protocol):
    """What :func:`mark_guess` needs of a guess; ``checks.guess`` makes them."""

    @property
    def value(self) -> float | str | None:
        """A number, the name of an option, or None."""


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
        Draws a dashed line, e.g. chance; with a label, a legend stands below the bars.
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
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.5},
        )
    if reference is not None:
        ax.axvline(reference, color="black", linestyle="--", linewidth=1, label=reference_label)
    ax.set_yticks(places, list(names))
    ax.invert_yaxis()
    if reference is not None and reference_label:
        _legend_below_the_bars(ax)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(xlabel)
    ax.set_xlim(xlim) if xlim else ax.margins(x=0.2)
    if title:
        ax.set_title(title)
    return ax


def _legend_below_the_bars(ax: Axes) -> None:
    """Add a legend in a row of its own under horizontal bars, however high the axes are."""
    lowest, top = ax.get_ylim()
    legend = ax.legend(loc="lower right")
    share = legend.get_window_extent().height / ax.get_window_extent().height + 0.06
    ax.set_ylim(lowest + (lowest - top) * share / (1 - share), top)


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
    ax.tick_params(axis="y", rotation=0)
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


def mark_guess(
    ax: Axes,
    guess: GuessLike,
    *,
    axis: Literal["x", "y"] = "x",
    at: float | None = None,
    label: str = "your guess",
) -> Axes:
    """Show a student's guess beside the measurement; without a guess nothing is drawn.

    Parameters
    ----------
    ax
        Axes on which the measurement is drawn already.
    guess
        From ``checks.guess``. A number becomes a dotted line across the axes, or a diamond when
        ``at`` is given; an option becomes a diamond at the tick of that name.
    axis
        Axis on which the guess is read: the values of a number, the names of an option.
    at
        Place of a guessed number's diamond on the *other* axis, e.g. that of its bar.
    label
        Text at the mark.

    Raises
    ------
    ValueError
        If an option is not among the tick labels of ``axis``.
    """
    value = guess.value
    if value is None:
        return ax
    edge = ax.get_xaxis_transform() if axis == "x" else ax.get_yaxis_transform()
    if isinstance(value, str):
        place, other, frame, text = _tick(ax, axis, value), 1.0, edge, label
    else:
        place, text = float(value), f"{label}: {value:g}"
        other, frame = (1.0, edge) if at is None else (at, ax.transData)
        _make_room(ax, axis, place)
    point = (place, other) if axis == "x" else (other, place)
    if frame is edge and not isinstance(value, str):
        line = ax.axvline if axis == "x" else ax.axhline
        line(place, color=GUESS_COLOR, linestyle=":", linewidth=2)
    else:
        style: dict[str, Any] = {"color": GUESS_COLOR, "markeredgecolor": "white", "markersize": 9}
        ax.plot(*point, "D", **style, transform=frame, clip_on=False, zorder=5)
    horizontal = axis == "y" and frame is edge
    if isinstance(value, str):  # beside the axes, where no title or bar is in the way
        shift, ha, va = ((9, 0), "left", "center") if horizontal else ((0, 9), "center", "bottom")
    elif frame is edge:  # inside, along the line
        shift, ha, va = ((-4, 3), "right", "bottom") if horizontal else ((4, -4), "left", "top")
    else:
        shift, ha, va = (0, 9), "center", "bottom"
    ax.annotate(
        text,
        point,
        shift,
        xycoords=frame,
        textcoords="offset points",
        color=GUESS_COLOR,
        fontweight="bold",
        fontsize=9,
        ha=ha,
        va=va,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        annotation_clip=False,
        zorder=6,
    )
    return ax


def _tick(ax: Axes, axis: str, name: str) -> float:
    """Place of the tick with this label."""
    which = ax.xaxis if axis == "x" else ax.yaxis
    names = [label.get_text() for label in which.get_ticklabels()]
    if name not in names:
        raise ValueError(f"guess {name!r} is not among the {axis} tick labels {names}")
    return float(which.get_ticklocs()[names.index(name)])


def _make_room(ax: Axes, axis: str, place: float) -> None:
    """Widen the axis when a guess lies outside of what it shows."""
    first, last = ax.get_xlim() if axis == "x" else ax.get_ylim()
    margin = 0.05 * (last - first)
    if place < min(first, last) or place > max(first, last):
        near_first = abs(place - first) < abs(place - last)
        ends = (place - margin, last) if near_first else (first, place + margin)
        if axis == "x":
            ax.set_xlim(ends)
        else:
            ax.set_ylim(ends)
