"""Comparing what an answer returned with what is right, and naming the mistake it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import torch

from course_utils.checks.core import describe, fail
from course_utils.checks.likely import relation, shape_hint

__all__ = ["same"]


def same(
    got: Any,
    want: Any,
    what: str = "the result",
    *,
    rtol: float | None = None,
    atol: float | None = None,
    dtype: bool = True,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Fail unless ``got`` equals ``want`` in kind, shape, dtype and value.

    Parameters
    ----------
    got, want
        Tensors, arrays or numbers. A tensor is wanted as a tensor; an array may come as anything
        that ``np.asarray`` understands; a number may come as any 0-d value.
    what
        What is compared, for the message ("the weights of a masked query").
    rtol, atol
        Tolerances; by default 1e-4, 1e-5 for single and 1e-6, 1e-8 for double precision.
    dtype
        Whether the dtype of a tensor has to agree too.
    mistakes
        Common mistake in words -> the value that it produces on this input. The first one that
        matches what came is named in the message.

    Raises
    ------
    CheckFailed
        With at most eight lines.
    """
    if got is None:
        fail(f"Expected {what} as {describe(want)}, got None.", "is there a `return` at the end?")
    if isinstance(want, torch.Tensor) and not isinstance(got, torch.Tensor):
        fail(
            f"Expected {what} as {describe(want)}, got {type(got).__name__} {describe(got)}.",
            "`torch.tensor(...)` or `torch.stack(...)` makes a tensor of it",
        )
    try:
        got_array, want_array = _as_array(got), _as_array(want)
        got_array.astype(float)
    except (TypeError, ValueError, RuntimeError):
        fail(f"Expected {what} as {describe(want)}, got {type(got).__name__} {describe(got)}.")
    named = _named_mistake(got_array, want_array, mistakes, rtol, atol)
    if got_array.shape != want_array.shape:
        named = named or shape_hint(got_array.shape, want_array.shape)
        fail(f"Expected {what} with shape {want_array.shape}, got shape {got_array.shape}.", named)
    if dtype and isinstance(want, torch.Tensor) and got.dtype != want.dtype:
        fail(
            f"Expected {what} with dtype {want.dtype}, got {got.dtype}.", named or _kind(got, want)
        )
    default_r, default_a = _tolerance(getattr(want, "dtype", "float"))
    close = _close(
        got_array,
        want_array,
        default_r if rtol is None else rtol,
        default_a if atol is None else atol,
    )
    if not close.all():
        _fail_values(got_array, want_array, close, what, named)


def _kind(got: torch.Tensor, want: torch.Tensor) -> str | None:
    if want.dtype == torch.bool:
        return "True and False are wanted: a comparison gives them, or `.bool()` at the end"
    if not want.is_floating_point():
        return "whole numbers are wanted: `.long()` or `dtype=torch.int64`"
    if not got.is_floating_point():
        return "whole numbers or True and False came out of it: convert to the input's dtype"
    return "a constant or a new tensor without the input's dtype; outputs keep the input's"


def _as_array(value: object) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
        return value.numpy()
    return np.asarray(value)


def _tolerance(dtype: object) -> tuple[float, float]:
    return (1e-6, 1e-8) if "64" in str(dtype) or str(dtype) == "float" else (1e-4, 1e-5)


def _close(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    if want.dtype.kind in "fc" or got.dtype.kind in "fc":
        return np.isclose(
            got.astype(float), want.astype(float), rtol=rtol, atol=atol, equal_nan=True
        )
    return got == want


def _named_mistake(
    got: np.ndarray,
    want: np.ndarray,
    mistakes: Mapping[str, Any] | None,
    rtol: float | None,
    atol: float | None,
) -> str | None:
    near = max(rtol or 0, 1e-4), max(atol or 0, 1e-5)
    for words, value in (mistakes or {}).items():
        wrong = _as_array(value)
        if wrong.shape != got.shape or wrong.size == 0:
            continue
        if wrong.shape == want.shape and _close(wrong, want, *near).all():
            continue  # here the mistake changes nothing, so it explains nothing
        if _close(got, wrong, *near).all():
            return words
    return None


def _fail_values(
    got: np.ndarray, want: np.ndarray, close: np.ndarray, what: str, named: str | None
) -> NoReturn:
    if want.ndim == 0:
        fail(
            f"Expected {what} to be {_number(want)}, got {_number(got)}.",
            named or _nan_hint(got, want) or relation(got, want, what),
        )
    first = tuple(int(i) for i in np.argwhere(~close)[0])
    place = ", ".join(map(str, first))
    fail(
        f"Expected {what} (shape {want.shape}) to be {_number(want[first])} at [{place}], "
        f"got {_number(got[first])}.\n"
        f"{int((~close).sum())} of {close.size} entries differ.",
        named or _nan_hint(got, want) or relation(got, want, what),
    )


def _nan_hint(got: np.ndarray, want: np.ndarray) -> str | None:
    if np.isnan(got.astype(float)).any() and not np.isnan(want.astype(float)).any():
        return "not-a-number comes from 0/0, inf − inf, 0·inf or a softmax over a row of −inf"
    return None


def _number(value: Any) -> str:
    number = np.asarray(value).item()
    return f"{number:.5g}" if isinstance(number, float) else str(number)
