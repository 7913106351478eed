"""Pictures of chest films: findings, patches, and attention laid over a film."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.data import radiology

__all__ = [
    "attention_over_film",
    "finding_gallery",
    "heads_over_film",
    "patch_strip",
    "show_film",
    "word_maps",
]

OUTLINE = "#56b4e9"  # sky blue of the colour-blind palette
HEAT = "Oranges"


def show_film(
    film: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    sides: bool = True,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one film (S, S) in grey, as a reader sees it, with the outline of a mask (S, S).

    ``sides`` writes the patient's R and L under the film: R on its left.
    """
    ax = plt.subplots(figsize=(3, 3))[1] if ax is None else ax
    ax.imshow(film, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    if mask is not None and np.any(mask):
        ax.contour(mask, levels=[0.5], colors=OUTLINE, linewidths=1.3)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    if sides:
        ax.text(0.02, -0.02, "R", transform=ax.transAxes, va="top", fontsize=8)
        ax.text(0.98, -0.02, "L", transform=ax.transAxes, va="top", ha="right", fontsize=8)
    if title:
        ax.set_title(title, fontsize=9, fontweight="normal")
    return ax


def finding_gallery(films: radiology.ChestFilms) -> Figure:
    """Draw a film without a finding and one of each finding in both sizes, outlined."""
    alone = films.present.sum(axis=1) == 1
    columns = []
    for kind, name in enumerate(radiology.KINDS):
        words = ("mild", "marked") if name == "cardiomegaly" else radiology.SIZES[1:]
        for size, word in enumerate(words, start=1):
            rows = np.flatnonzero(alone & (films.size[:, kind] == size))
            if len(rows):
                columns.append((rows[0], f"{word} {name}"))
    nothing = np.flatnonzero(films.present.sum(axis=1) == 0)[:2]
    shown = [(index, "no finding") for index in nothing] + columns
    fig, axes = plt.subplots(2, math.ceil(len(shown) / 2), figsize=(9, 4.2), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (index, title) in zip(axes.flat, shown, strict=False):
        ax.set_axis_on()
        show_film(films.images[index, 0], mask=films.masks[index].any(0), title=title, ax=ax)
    return fig


def patch_strip(film: np.ndarray, patches: np.ndarray, patch_size: int) -> Figure:
    """Draw a film with its patch grid beside the patches (N, P*P) laid out in reading order."""
    patches = np.asarray(patches)
    columns = film.shape[1] // patch_size
    rows = len(patches) // columns
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
    show_film(film, title="film with patch grid", ax=left)
    for line in range(patch_size, film.shape[0], patch_size):
        left.axhline(line - 0.5, color=OUTLINE, linewidth=0.6)
        left.axvline(line - 0.5, color=OUTLINE, linewidth=0.6)
    gap, step = 2, patch_size + 2
    sheet = np.ones((rows * step + gap, columns * step + gap))
    for number, patch in enumerate(patches):
        top, side = divmod(number, columns)
        top, side = top * step + gap, side * step + gap
        sheet[top : top + patch_size, side : side + patch_size] = patch.reshape(patch_size, -1)
        right.text(side, top - 0.3, number, fontsize=6, va="bottom", color="black")
    right.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    right.set(xticks=[], yticks=[])
    right.grid(visible=False)
    right.set_title("patches in reading order", fontsize=9, fontweight="normal")
    return fig


def attention_over_film(
    film: np.ndarray,
    weights: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    top: float | None = None,
    sides: bool = True,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lay attention (N,) over a film (S, S): the more attended, the darker orange and opaque.

    Full colour is the weight ``top``, by default the largest one.
    """
    film, weights = np.asarray(film), np.asarray(weights)
    side = math.isqrt(len(weights))
    if side * side != len(weights):
        raise ValueError(f"weights must hold a square number of patches, got {len(weights)}")
    ax = show_film(film, mask=mask, sides=sides, title=title, ax=ax)
    grid = weights.reshape(side, side) / max(weights.max() if top is None else top, 1e-12)
    size = film.shape[0]
    ax.imshow(
        grid,
        cmap=HEAT,
        vmin=0,
        vmax=1,
        alpha=np.clip(1.4 * grid, 0, 0.75),
        extent=(-0.5, size - 0.5, size - 0.5, -0.5),
        interpolation="nearest",
    )
    return ax


def heads_over_film(film: np.ndarray, weights: np.ndarray) -> Figure:
    """Draw the attention of each head (H, N) over the same film, all on one scale."""
    weights = np.asarray(weights)
    fig, axes = plt.subplots(1, len(weights), figsize=(9, 2.9), squeeze=False)
    for head, ax in enumerate(axes[0]):
        row = weights[head]
        title = f"head {head + 1}: {row.min():.3f} to {row.max():.3f}"
        attention_over_film(film, row, top=weights.max(), title=title, ax=ax)
    return fig


def word_maps(
    film: np.ndarray,
    words: Sequence[str],
    weights: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    columns: int = 8,
) -> Figure:
    """Draw the attention (words, N) behind every word over the film, in reading order.

    Every panel has its own scale; its largest weight stands under the word.
    """
    weights = np.asarray(weights)
    rows = math.ceil(len(words) / columns)
    fig, axes = plt.subplots(rows, columns, figsize=(10, 1.7 * rows), squeeze=False)
    for ax in axes.flat[len(words) :]:
        ax.set_axis_off()
    for ax, word, row in zip(axes.flat, words, weights, strict=False):
        title = f"{word}\n{row.max():.2f}"
        attention_over_film(film, row, mask=mask, sides=False, title=title, ax=ax)
    return fig
