"""What comes back from an answer of notebook 04: errors, tensors and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from course_utils.checks.core import describe, fail, require

__all__ = ["as_tensor", "error_of", "table", "whole_numbers"]


def error_of(answer: Callable[..., Any], *args: Any, naming: str, why: str, **kwargs: Any) -> None:
    """Fail unless the answer raises a ValueError whose message holds ``naming``."""
    try:
        got = answer(*args, **kwargs)
    except ValueError as error:
        require(
            naming.lower() in str(error).lower(),
            f"The ValueError for {why} should name {naming!r}; it says: {str(error)[:90]!r}",
            'put what was asked for into the message: `f"{word!r} ..."`',
        )
        return
    except NotImplementedError:
        raise
    except Exception as error:
        fail(f"Expected a ValueError for {why}, got {type(error).__name__}: {str(error)[:80]}")
    fail(f"Expected a ValueError for {why}, got {describe(got)}.", "raise a clear error there")


def as_tensor(got: Any, what: str) -> torch.Tensor:
    """A tensor as it is, an array as a tensor; anything else fails."""
    if isinstance(got, np.ndarray):
        return torch.from_numpy(got)
    require(isinstance(got, torch.Tensor), f"Expected {what} as a tensor, got {describe(got)}.")
    return got


def table(got: Any, columns: list[str], *, exact: bool = True) -> pd.DataFrame:
    """A DataFrame with these columns, or a failure."""
    require(
        isinstance(got, pd.DataFrame),
        f"Expected a pandas DataFrame, got {describe(got)}.",
        "is there a `return`, and `pd.DataFrame(...)` around it?",
    )
    have = [str(column) for column in got.columns]
    right = have == columns if exact else set(columns) <= set(have)
    require(
        right, f"Expected the columns {columns}, got {have}.", "columns by these names, in order"
    )
    return got


def whole_numbers(frame: pd.DataFrame, column: str) -> list[int]:
    """Integers of a column (Python's or NumPy's), or a failure."""
    values = list(frame[column])
    for value in values:
        good = isinstance(value, int | np.integer) and not isinstance(value, bool)
        require(
            good,
            f"Column `{column}` should hold integers; it holds {describe(value)} "
            f"of type {type(value).__name__}.",
            "tensors inside a table print badly and compare badly; use `.tolist()` or `int(...)`",
        )
    return [int(value) for value in values]
