"""Pictures that answer: where does this word look? Self-contained HTML beside a still picture.

An explorer needs no network and no kernel, so it works in JupyterLab, VS Code, Colab and on a
page. Where HTML is not shown, its still picture is.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.figures import attention_map
from course_utils.plots.films import word_maps

__all__ = ["Explorer", "attention_explorer", "film_explorer"]

LARGEST = 300 * 1024  # bytes of HTML
_numbers = itertools.count(1)


class Explorer:
    """HTML that answers, and the still picture shown where HTML is not.

    Attributes
    ----------
    html
        The whole explorer, at most 300 KiB.
    """

    def __init__(self, page: str, still: bytes, words: str) -> None:
        self.html, self._still, self._words = page, still, words

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/html": self.html,
            "image/png": base64.b64encode(self._still).decode(),
            "text/plain": self._words,
        }


def attention_explorer(
    tokens: Sequence[str], weights: Any, *, query: int = 0, title: str = "Attention"
) -> Explorer:
    """Hover, tap or walk with the arrow keys over a word to see where it looks.

    Parameters
    ----------
    tokens
        The T words, without padding.
    weights
        Attention ``(layers, heads, T, T)``, ``(heads, T, T)`` or ``(T, T)``; tensors work too. The
        darkness of a word is its weight: white is 0, full blue is 1, in every head.
    query
        Position of the word that is chosen at first.
    title
        What is shown, for the heading and for screen readers.

    Raises
    ------
    ValueError
        If shapes do not agree, a weight is not in [0, 1], or the page would exceed 300 KiB.
    """
    table = _numbers_of(weights)
    if table.ndim < 2 or table.ndim > 4 or table.shape[-2:] != (len(tokens), len(tokens)):
        raise ValueError(
            f"weights must be (layers, heads, {len(tokens)}, {len(tokens)}) for {len(tokens)} "
            f"tokens, got shape {table.shape}"
        )
    _inside("query", query, len(tokens))
    table = table.reshape((1,) * (4 - table.ndim) + table.shape)
    layers, heads = table.shape[:2]
    groups = "".join(
        f'<div role="group" aria-label="layer {layer + 1}">layer {layer + 1}, head '
        + "".join(f'<button type="button">{head + 1}</button>' for head in range(heads))
        + "</div>"
        for layer in range(layers)
    )
    body = (
        f'<div class="heads">{groups}</div>'
        f'<div class="words" role="group" aria-label="words">{_buttons(tokens)}</div>'
    )
    page = _page(title, body, table, tokens, tokens, query, film=False)
    ax = attention_map(table[-1].mean(axis=0), tokens, title=f"{title}: last layer, mean of heads")
    return Explorer(page, _png(ax.figure), f"{title}: attention of {len(tokens)} words")


def film_explorer(
    film: Any,
    words: Sequence[str],
    weights: Any,
    *,
    query: int = 0,
    still: Sequence[int] | None = None,
    title: str = "Where each word looks",
) -> Explorer:
    """Hover, tap or walk over a word of a report to see which patches of the film it looks at.

    Parameters
    ----------
    film
        The film ``(H, W)``, grey values.
    words
        The T words of the report.
    weights
        Attention ``(T, N)`` over N = n × n patches, row by row; tensors work too. The strongest
        patch of a word is drawn strongest; its share is said in words.
    query
        Position of the word that is chosen at first.
    still
        Positions of the words in the still picture; the six with the largest weights by default.

    Raises
    ------
    ValueError
        If shapes do not agree, a weight is not in [0, 1], or the page would exceed 300 KiB.
    """
    picture, table = np.asarray(_plain(film), dtype=float), _numbers_of(weights)
    side = round(table.shape[-1] ** 0.5) if table.ndim == 2 else 0
    if table.ndim != 2 or table.shape[0] != len(words) or side * side != table.shape[-1]:
        raise ValueError(
            f"weights must be ({len(words)}, n * n) for {len(words)} words, got {table.shape}"
        )
    if picture.ndim != 2:
        raise ValueError(f"film must be (H, W), got shape {picture.shape}")
    _inside("query", query, len(words))
    height, width = picture.shape
    rects = "".join(
        f'<rect data-key="{i}" x="{i % side * width / side:g}" y="{i // side * height / side:g}" '
        f'width="{width / side:g}" height="{height / side:g}" fill="#f08a00" fill-opacity="0"/>'
        for i in range(side * side)
    )
    encoded = base64.b64encode(_grey_png(picture)).decode()
    body = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="chest film with the patches '
        f'that the chosen word looks at"><image width="{width}" height="{height}" '
        f'href="data:image/png;base64,{encoded}"/>{rects}</svg>'
        f'<div class="words" role="group" aria-label="words of the report">{_buttons(words)}</div>'
    )
    names = [f"row {i // side + 1}, column {i % side + 1}" for i in range(side * side)]
    page = _page(title, body, table[None, None], words, names, query, film=True)
    return Explorer(
        page, _png(_still_maps(picture, words, table, still)), f"{title}: {len(words)} words"
    )


def _page(
    title: str,
    body: str,
    table: np.ndarray,
    words: Sequence[str],
    names: Sequence[str],
    query: int,
    *,
    film: bool,
) -> str:
    """Put style, words, numbers and script together, under an id that no other explorer has."""
    name = f"explorer-{next(_numbers)}"
    folder = resources.files("course_utils") / "assets" / "explorers"
    style = (folder / "explorer.css").read_text("utf-8").replace("#ID", f"#{name}")
    script = (folder / "explorer.js").read_text("utf-8").replace('"ID"', json.dumps(name))
    whole = np.rint(table * 10_000).astype("<u2")
    data = {
        "film": film,
        "keys": table.shape[-1],
        "names": list(map(str, names)),
        "queries": table.shape[-2],
        "query": query,
        "weights": base64.b64encode(whole.tobytes()).decode(),
        "words": list(map(str, words)),
    }
    inside = json.dumps(data).replace("<", "\\u003c")
    page = (
        f'<div id="{name}" role="region" aria-label="{html.escape(title, quote=True)}">'
        f"<style>{style}</style><strong>{html.escape(title)}</strong>{body}"
        f'<p class="said" aria-live="polite"></p><p class="help">Point at a word, tap it, or use '
        f"the arrow keys.{'' if film else ' White <span class=scale></span> blue: weight 0 to 1.'}"
        f'</p><script type="application/json">{inside}</script><script>{script}</script></div>'
    )
    if len(page.encode()) > LARGEST:
        raise ValueError(
            f"the explorer would have {len(page.encode()) // 1024} KiB, {LARGEST // 1024} are "
            "allowed: choose fewer layers or heads, or a shorter text"
        )
    return page


def _buttons(words: Sequence[str]) -> str:
    return "".join(f'<button type="button">{html.escape(str(word))}</button>' for word in words)


def _plain(values: Any) -> Any:
    return values.detach().cpu().float().numpy() if hasattr(values, "detach") else values


def _numbers_of(weights: Any) -> np.ndarray:
    table = np.asarray(_plain(weights), dtype=float)
    if table.size == 0 or not np.isfinite(table).all() or table.min() < 0 or table.max() > 1.001:
        raise ValueError("weights must be finite numbers between 0 and 1, at least one")
    return np.minimum(table, 1.0)


def _inside(name: str, value: int, count: int) -> None:
    if not 0 <= value < count:
        raise ValueError(f"{name} must be a position from 0 to {count - 1}, got {value}")


def _grey_png(picture: np.ndarray) -> bytes:
    low, high = float(picture.min()), float(picture.max())
    out = io.BytesIO()
    scaled = (picture - low) / ((high - low) or 1.0)
    plt.imsave(out, scaled, cmap="gray", vmin=0, vmax=1, format="png")
    return out.getvalue()


def _still_maps(
    picture: np.ndarray, words: Sequence[str], table: np.ndarray, still: Sequence[int] | None
) -> Figure:
    strongest = np.argsort(-table.max(axis=1), kind="stable")[:6]
    chosen = np.sort(strongest) if still is None else np.asarray(still, dtype=int)
    return word_maps(picture, [str(words[i]) for i in chosen], table[chosen])


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=80)
    plt.close(figure)
    return out.getvalue()
