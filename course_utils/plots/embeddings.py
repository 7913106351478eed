"""Pictures of token vectors, layers, attention heads and 2-D maps of text encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["accuracy_by_layer", "map_2d", "similarity_pair", "token_vectors"]


def token_vectors(
    vectors: np.ndarray, labels: Sequence[str], *, title: str, ax: Axes | None = None
) -> Axes:
    """Draw the vectors ``(T, D)`` of a sentence, one row a token, one column a dimension."""
    vectors = np.asarray(vectors)
    if ax is None:
        _, ax = plt.subplots(figsize=(8.0, 0.8 + 0.24 * len(labels)))
    bound = float(np.quantile(np.abs(vectors), 0.99))
    image = ax.imshow(
        vectors, cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="auto", interpolation="nearest"
    )
    ax.set_yticks(range(len(labels)), labels, fontsize=9)
    ax.grid(visible=False)
    ax.set(xlabel="dimension of the vector", ylabel="token", title=title)
    ax.figure.colorbar(image, ax=ax, label="value")
    return ax


def similarity_pair(
    matrices: Mapping[str, np.ndarray], names: Sequence[str], *, border: int, label: str
) -> Figure:
    """Draw cosine similarities ``(N, N)`` of several layers side by side, on one scale."""
    low = min(float(np.min(matrix)) for matrix in matrices.values())
    figure, axes = plt.subplots(1, len(matrices), figsize=(8.0, 4.4), sharey=True)
    for ax, (title, matrix) in zip(np.atleast_1d(axes), matrices.items(), strict=True):
        image = ax.imshow(matrix, cmap="Blues", vmin=low, vmax=1.0)
        ax.axhline(border - 0.5, color="black", linewidth=1)
        ax.axvline(border - 0.5, color="black", linewidth=1)
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=9)
        ax.set_yticks(range(len(names)), names, fontsize=9)
        ax.grid(visible=False)
        ax.set_title(title)
    figure.colorbar(image, ax=axes, label=label, shrink=0.8)
    return figure


def accuracy_by_layer(
    tables: Mapping[str, pd.DataFrame], *, chance: float, title: str, ax: Axes | None = None
) -> Axes:
    """Draw a probe's accuracy by layer, a line for each table with ``layer`` and ``accuracy``."""
    if ax is None:
        _, ax = plt.subplots(figsize=(8.0, 4.0))
    markers = iter("osD^vPX*<>" * 5)
    for name, table in tables.items():
        ax.plot(table["layer"], table["accuracy"], marker=next(markers), label=name)
    ax.axhline(chance, color="black", linestyle="--", linewidth=1, label="guessing")
    layers = sorted({int(layer) for table in tables.values() for layer in table["layer"]})
    ax.set_xticks(layers, ["static (0)" if layer == 0 else str(layer) for layer in layers])
    ax.set(xlabel="layer", ylabel="accuracy on held-out groups", ylim=(0, 1.03), title=title)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def map_2d(
    points: np.ndarray, colors: Sequence[str], shapes: Sequence[str], *, title: str, ax: Axes
) -> Axes:
    """Draw points ``(N, 2)``, coloured by one name and shaped by another."""
    frame = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "word": colors, "sense": shapes})
    sns.scatterplot(
        frame, x="x", y="y", hue="word", style="sense", s=28, linewidth=0.2, ax=ax, palette="deep"
    )
    ax.set(xticks=[], yticks=[], xlabel="first map axis", ylabel="second map axis", title=title)
    return ax
