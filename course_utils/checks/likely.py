"""Likely causes that a wrong result shows by itself, whatever the exercise.

A check names the mistakes of its own exercise first; these are for what it has not thought of. No
hint holds a number of the result: hints of hidden cases are shown, and answers choose results.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ["message_hint", "relation", "shape_hint"]

_FACTORS = (-1, 2, 1 / 2, 100, 1 / 100, 1000, 1 / 1000)  # of one number any other is a multiple
_NUMBERS = r"\(([\d, ]*)\)"
_SHAPES = re.compile(rf"shape {_NUMBERS}, got (?:shape )?{_NUMBERS}")
_KINDS = re.compile(r"torch\.(?:float|bfloat)\d+, got torch\.(?:float|bfloat)\d+")


def message_hint(seen: str) -> str | None:
    """Likely cause of what a message says was seen: nothing came, a shape, a precision."""
    if re.search(r"\bgot None(Type)?\b", seen):
        return "is there a `return` at the end?"
    shapes = _SHAPES.search(seen)
    if shapes:
        want, got = (tuple(int(n) for n in re.findall(r"\d+", s)) for s in shapes.groups())
        return shape_hint(got, want)
    if _KINDS.search(seen):
        return "a conversion (`.float()`, `.double()`) or a new tensor without the input's dtype"
    return None


def shape_hint(got: tuple[int, ...], want: tuple[int, ...]) -> str | None:
    """What a wrong shape looks like, or None."""
    if not got and want:
        return "everything became one number: say over which axis (`dim=`, `axis=`)"
    if len(got) == len(want) + 1 and any(_without(got, i) == want for i in range(len(got))):
        return "an axis too many: it was to be added up, averaged, indexed or squeezed away"
    if len(got) == len(want) - 1 and any(_without(want, i) == got for i in range(len(want))):
        return "an axis is gone: a sum, a mean or an index took it (`keepdim=True` keeps it)"
    if len(got) == len(want) and sorted(got) == sorted(want):
        return "two axes are exchanged: look at each `dim`, `transpose` and `permute`"
    if len(got) == len(want):
        pairs = [(g, w) for g, w in zip(got, want, strict=True) if g != w]
        if all(g == 1 for g, _ in pairs):
            return "added up or averaged over that axis, which stays as it is"
        if len(pairs) == 1 and abs(pairs[0][0] - pairs[0][1]) == 1:
            return "one too many or one too few: look at where ranges and slices begin and end"
        if len(got) > 1 and pairs:
            return "added up, averaged or joined along the wrong axis"
    return None


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def relation(got: np.ndarray, want: np.ndarray, what: str) -> str | None:
    """How all numbers differ in the same way from the right ones, and what does that."""
    got, want = got.astype(float), want.astype(float)
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        return None
    if want.size > 1 and got.any() and np.ptp(got) == 0 and np.ptp(want) > 0:
        return "the same number everywhere: what should vary does not take part"
    if not got.any():
        return "zero everywhere: nothing arrives here (a mask, a multiplication by 0)"

    def equals(other: np.ndarray) -> bool:
        return bool(np.allclose(got, other, rtol=1e-3, atol=1e-6 * np.abs(want).max()))

    if want.any():
        factor = float((got * want).sum() / (want * want).sum())
        telling = want.size > 1 or any(abs(factor / f - 1) < 1e-3 for f in _FACTORS)
        if telling and equals(factor * want):
            return _factor_hint(factor, what)
    if equals(np.floor(want)) and not equals(want):
        return "fractions are cut off: `//`, `int(...)` or an integer dtype"
    if want.min() >= 0 and want.max() <= 1 and equals(1 - want):
        return "one minus what is wanted: a condition or a mask is turned round"
    if want.size > 1:
        if equals(want + (got - want).mean()):
            return "the same amount is added everywhere (or something is not subtracted)"
        if want.ndim > 1 and want.shape[-1] == want.shape[-2] and equals(want.swapaxes(-1, -2)):
            return "rows and columns are exchanged"
        alike = np.allclose(np.sort(got, None), np.sort(want, None), rtol=1e-3, atol=1e-7)
        if alike and len(np.unique(want)) > 2:
            return "the right numbers in another order"
    return None


def _factor_hint(factor: float, what: str) -> str:
    if "gradient" in what:
        much = "larger" if factor > 1 else "smaller"
        return f"everywhere {much} by one factor: a part was detached, or counted twice"
    if abs(factor + 1) < 1e-3:
        return "the sign is turned round: a minus is missing or too many"
    if factor < 0:
        return "everywhere off by one negative factor: sign and scale are wrong"
    if factor > 1:
        return "everywhere too large by one factor: a sum instead of a mean, or another constant"
    return "everywhere too small by one factor: divided too often, or another constant"
