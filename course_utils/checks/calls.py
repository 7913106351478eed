"""Careful calls of student code: what it raises, what it changes, what it has done ready-made."""

from __future__ import annotations

import copy
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np
import torch

from course_utils.checks.core import CheckFailed, describe, fail, judging, raise_for

__all__ = ["LibraryWatch", "call", "refuse_ready_made", "snapshot", "unchanged"]


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call student code and turn everything that may go wrong into a short message.

    An exception becomes :class:`CheckFailed` with the arguments' shapes, a stub becomes
    :class:`NotAttempted`, an input that was changed or a ready-made function that the exercise
    forbids fails.

    Returns
    -------
    Whatever ``function(*args, **kwargs)`` returns.
    """
    before = snapshot([*args, *kwargs.values()])
    elsewhere = hasattr(function, "bridge")  # it runs in another process, which watches itself
    forbids = judging[-1].forbids if judging and not elsewhere else ()
    with LibraryWatch(forbids) as watch:
        raised: BaseException | None = None
        try:
            result = function(*args, **kwargs)
        except (CheckFailed, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too: a student's exit() must not end the kernel
            raised = error
    if raised is not None:
        raise_for(raised, f"called with {_describe_call(function, args, kwargs)}")
    if watch.hits:
        refuse_ready_made(watch.hits[0])
    values = [*args, *kwargs.values()]
    for i, value in enumerate(values):
        if not unchanged(value, before[i]):  # type: ignore[index]
            name = [*_parameter_names(function, len(args)), *kwargs][i]
            fail(
                f"The input `{name}` was changed ({describe(value)}).",
                "an in-place operation (`x += …`, `x[…] = …`, `masked_fill_`) on an argument; "
                "work on a copy",
            )
    return result


def refuse_ready_made(name: str) -> NoReturn:
    """Fail because the answer calls a function that the exercise forbids."""
    fail(
        f"It calls `{name}`, which does this exercise's work ready-made.",
        "here you write that piece yourself, with plain tensor operations",
    )


class LibraryWatch:
    """Note calls of ready-made functions by name, in torch and in this package only."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.hits: list[str] = []
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.roots = (os.path.dirname(os.path.abspath(torch.__file__)), here)

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            name = getattr(arg, "__name__", "")
            if name in self.names:
                self.hits.append(name)
        elif event == "call":
            code = frame.f_code
            name = code.co_qualname.split(".")[0]
            if name in self.names and code.co_filename.startswith(self.roots):
                self.hits.append(name)

    def __enter__(self) -> LibraryWatch:
        if self.names:
            self.previous = sys.getprofile()
            sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self.names:
            sys.setprofile(self.previous)


def snapshot(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return [snapshot(v) for v in value]
    if isinstance(value, dict):
        return {k: snapshot(v) for k, v in value.items()}
    if type(value).__module__.startswith("pandas"):
        return copy.deepcopy(value)
    return value


def unchanged(value: object, before: object) -> bool:
    if isinstance(value, torch.Tensor):
        assert isinstance(before, torch.Tensor)
        same_kind = value.shape == before.shape and value.dtype == before.dtype
        return same_kind and torch.allclose(value.detach(), before, rtol=0, atol=0, equal_nan=True)
    if isinstance(value, np.ndarray):
        assert isinstance(before, np.ndarray)
        if value.shape != before.shape or value.dtype != before.dtype:
            return False
        return bool(np.array_equal(value, before, equal_nan=value.dtype.kind in "fc"))
    if isinstance(value, list | tuple):
        assert isinstance(before, list)
        return len(value) == len(before) and all(map(unchanged, value, before))
    if isinstance(value, dict):
        assert isinstance(before, dict)
        return value.keys() == before.keys() and all(
            unchanged(v, before[k]) for k, v in value.items()
        )
    if type(value).__module__.startswith("pandas"):
        return bool(value.equals(before))  # type: ignore[attr-defined]
    if isinstance(value, int | float | str):
        return value == before or value != value
    return True


def _describe_call(function: object, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    names = _parameter_names(function, len(args))
    parts = [f"{n}={describe(a)}" for n, a in zip(names, args, strict=True)]
    parts += [f"{n}={describe(a)}" for n, a in kwargs.items()]
    return ", ".join(parts)


def _parameter_names(function: object, count: int) -> list[str]:
    target = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        names = list(inspect.signature(target).parameters)[:count]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        names = []
    return names + [f"argument {i + 1}" for i in range(len(names), count)]
