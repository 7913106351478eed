"""Pictures of electrocardiograms, drawn the way a ward prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import ArrayLike
from scipy.signal import welch

from course_utils.plots.figures import PALETTE

__all__ = ["ecg_paper", "mark_waves", "spectra", "tachogram", "worst_strip"]

_FINE, _COARSE = "#f6d5d5", "#e59c9c"
_WAVE_MARKERS = {"P": "o", "Q": "v", "R": "D", "S": "^", "T": "s"}


def ecg_paper(
    signals: ArrayLike,
    sampling_rate: float,
    *,
    leads: Sequence[str] | None = None,
    start_s: float = 0.0,
    duration_s: float = 6.0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw leads on grid paper: 25 mm/s, 10 mm/mV, so a small square is 40 ms by 0.1 mV.

    Squares are square on the screen too. Several leads are stacked from top to bottom, each on its
    own zero line.

    Parameters
    ----------
    signals : (T,) or (L, T), in mV.
    leads : names of the leads.
    start_s, duration_s : the part that is shown.

    Units
    -----
    mV, seconds, Hz.
    """
    rows = np.atleast_2d(np.asarray(signals, dtype=float))
    first, last = round(start_s * sampling_rate), round((start_s + duration_s) * sampling_rate)
    rows = rows[:, first:last]
    time = start_s + np.arange(rows.shape[1]) / sampling_rate
    tops, bottoms = np.nanmax(rows, axis=1), np.nanmin(rows, axis=1)
    shifts = np.zeros(len(rows))
    for i in range(1, len(rows)):
        shifts[i] = np.floor((shifts[i - 1] + bottoms[i - 1] - tops[i] - 0.3) * 2) / 2
    low = np.floor((shifts[-1] + bottoms[-1] - 0.2) * 2) / 2
    high = np.ceil((tops[0] + 0.2) * 2) / 2
    seconds = max(rows.shape[1] / sampling_rate, 0.2)
    if ax is None:  # 1 mV is as tall as 0.4 s is wide
        height = 8.4 * (high - low) * 0.4 / seconds + 0.9
        ax = plt.subplots(figsize=(8.4, float(np.clip(height, 1.8, 9.0))))[1]
    for row, shift in zip(rows, shifts, strict=True):
        ax.plot(time, row + shift, color="black", linewidth=0.9)
    for name, shift in zip(leads or (), shifts, strict=False):
        ax.annotate(
            name,
            (start_s, shift),
            (3, 9),
            fontsize=9,
            textcoords="offset points",
            weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    ax.set(xlim=(start_s, start_s + seconds), ylim=(low, high))
    ax.set_aspect(0.4)
    _grid(ax)
    ax.set_xlabel("time in s (25 mm/s)")
    ax.set_ylabel("mV (10 mm/mV)" if len(rows) == 1 else "10 mm/mV")
    if len(rows) > 1:
        ax.tick_params(axis="y", labelleft=False)
    if title:
        ax.set_title(title)
    return ax


def _grid(ax: Axes) -> None:
    """Rule the paper with a few line collections; ticks for hundreds of lines would be slow."""
    ax.set_axisbelow(True)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for wide, tall, color, width in ((0.04, 0.1, _FINE, 0.4), (0.2, 0.5, _COARSE, 0.7)):
        x = wide * np.arange(np.ceil(left / wide - 1e-6), np.floor(right / wide + 1e-6) + 1)
        y = tall * np.arange(np.ceil(low / tall - 1e-6), np.floor(high / tall + 1e-6) + 1)
        ax.vlines(x, low, high, color=color, linewidth=width, zorder=0.5)
        ax.hlines(y, left, right, color=color, linewidth=width, zorder=0.5)
    ax.grid(visible=False)
    ax.set(xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(MultipleLocator(1.0))
    ax.yaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_formatter(FuncFormatter(_whole_seconds))
    ax.tick_params(which="both", length=0)


def _whole_seconds(value: float, _: int | None = None) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 1e-6 else ""


def mark_waves(
    ax: Axes,
    signal: ArrayLike,
    sampling_rate: float,
    peaks: Mapping[str, ArrayLike],
) -> Axes:
    """Mark samples on a lead that :func:`ecg_paper` drew alone.

    Parameters
    ----------
    peaks : name -> sample indices; negative indices are left out. P, Q, R, S and T have markers
        of their own.
    """
    signal = np.asarray(signal, dtype=float)
    colors = sns.color_palette(PALETTE, 10)
    low, high = ax.get_xlim()
    spare = iter("X*Ph<>")
    for i, (name, given) in enumerate(peaks.items()):
        index = np.asarray(given, dtype=np.int64).ravel()
        index = index[(index >= low * sampling_rate) & (index <= high * sampling_rate)]
        index = index[(index >= 0) & (index < len(signal))]
        marker = _WAVE_MARKERS.get(name) or next(spare)
        color = colors[i % 10]
        x, y = index / sampling_rate, signal[index]
        ax.plot(x, y, marker, color=color, markersize=5, label=name)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=6, frameon=True, fontsize=8)
    return ax


def spectra(
    signals: Mapping[str, ArrayLike],
    sampling_rate: float,
    *,
    band: tuple[float, float] | None = None,
    high_hz: float = 70.0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the power spectral density (Welch) of named signals, the pass band shaded."""
    ax = plt.subplots(figsize=(8.0, 3.4))[1] if ax is None else ax
    for name, values in signals.items():
        length = min(len(np.asarray(values)), round(8 * sampling_rate))
        frequency, power = welch(np.asarray(values, dtype=float), sampling_rate, nperseg=length)
        shown = (frequency > 0) & (frequency <= high_hz)
        ax.semilogy(frequency[shown], power[shown], linewidth=1.3, label=name)
    if band:
        ax.axvspan(*band, color="0.5", alpha=0.12, label=f"pass band {band[0]:g}-{band[1]:g} Hz")
    ax.set(xlabel="frequency in Hz", ylabel="power density", xlim=(0, high_hz))
    ax.legend(loc="lower left")
    if title:
        ax.set_title(title)
    return ax


def tachogram(
    r_peaks: Mapping[str, ArrayLike],
    sampling_rate: float,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each beat-to-beat interval (ms) at the time of the beat that ends it."""
    ax = plt.subplots(figsize=(8.0, 3.4))[1] if ax is None else ax
    for (name, peaks), marker in zip(r_peaks.items(), "osD^vPX" * 4, strict=False):
        index = np.asarray(peaks, dtype=float)
        intervals = np.diff(index) / sampling_rate * 1000.0
        ax.plot(index[1:] / sampling_rate, intervals, marker=marker, markersize=4, label=name)
    ax.set(xlabel="time in s", ylabel="RR interval in ms")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if title:
        ax.set_title(title)
    return ax


def worst_strip(
    signal: ArrayLike,
    sampling_rate: float,
    true_peaks: ArrayLike,
    found_peaks: ArrayLike,
    *,
    tolerance_ms: float = 50.0,
    duration_s: float = 8.0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the part of a lead that holds most wrong marks: beats missed, or found where none is.

    Parameters
    ----------
    signal : (T,), in mV.
    true_peaks, found_peaks : sample indices, ascending.

    Units
    -----
    mV, seconds, Hz.
    """
    signal = np.asarray(signal, dtype=float)
    true, found = (np.asarray(v, dtype=np.int64) for v in (true_peaks, found_peaks))
    width = tolerance_ms / 1000.0 * sampling_rate
    missed, false = _alone(true, found, width), _alone(found, true, width)
    wrong = np.sort(np.concatenate([missed, false]))
    span = round(duration_s * sampling_rate)
    count = np.searchsorted(wrong, wrong + span) - np.arange(len(wrong))
    first = int(wrong[count.argmax()]) - span // 16 if len(wrong) else 0
    first = max(0, min(first, len(signal) - span))
    shown = slice(first, first + span)
    ax = plt.subplots(figsize=(8.4, 2.2))[1] if ax is None else ax
    part = signal[shown]
    ax.plot((first + np.arange(len(part))) / sampling_rate, part, color="black", linewidth=0.8)
    low, high = part.min(), part.max()
    colors = sns.color_palette(PALETTE, 4)
    for name, index, marker, color, level in (
        ("annotated", true, "|", colors[2], 1.22),
        ("found", found, "v", colors[0], 1.08),
        ("found, wrong", false, "v", colors[3], 1.08),
    ):
        index = index[(index >= first) & (index < first + span)]
        height = np.full(len(index), low + level * (high - low))
        ax.plot(index / sampling_rate, height, marker, color=color, markersize=7, label=name)
    ax.set(xlabel="time in s", ylabel="mV", ylim=(None, low + 1.32 * (high - low)))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if title:
        ax.set_title(title)
    return ax


def _alone(marks: np.ndarray, others: np.ndarray, width: float) -> np.ndarray:
    """Those of `marks` that have none of `others` within `width`."""
    near = np.searchsorted(others, marks + width, "right") > np.searchsorted(others, marks - width)
    return np.asarray(marks[~near])
