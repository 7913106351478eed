"""Careful calls of student code: what it raises, what it changes, what it has done ready-made."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FrameType
from typing import Any, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

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


# Operations that do the work of a function below its name.
KERNELS = {
    "scaled_dot_product_attention": ("_scaled_dot_product_", "_fused_sdp", "_flash_attention"),
    "multi_head_attention_forward": ("_native_multi_head_attention", "_triton_multi_head"),
}
LONG_ENOUGH = 120  # bytes of code: two people write shorter functions alike


class LibraryWatch:
    """Note calls of ready-made functions, in torch and in this package only.

    They are seen by the interpreter's profile, by torch's dispatch of its functions, and by its
    dispatch of operations, whatever the overload and the name they were called by. A function of
    this package is known by its code too, when its text was compiled again.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.hits: list[str] = []
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.roots = (os.path.dirname(os.path.abspath(torch.__file__)), here)
        self.kernels = tuple(k for name in names for k in (name, *KERNELS.get(name, ())))
        self.copies = _codes(self.names) if names else {}
        self.seen, self.codes = _known(self.names)
        self.modes = contextlib.ExitStack()

    def note(self, function: Any) -> None:
        """Keep the name of a function or operation when it is forbidden; overloads count alike."""
        name = self.seen.get(function)
        if name is None:
            base = str(getattr(function, "__name__", "")).split(".")[0]
            forbidden = base in self.names or base.startswith(self.kernels)
            name = self.seen[function] = base if forbidden else ""
        if name:
            self.hits.append(name)

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """Look at a call of the interpreter's; each code is looked at once."""
        if event == "c_call":
            if (name := getattr(arg, "__name__", "")) in self.names:
                self.hits.append(name)
        elif event == "call":
            code = frame.f_code
            known = self.codes.get(id(code))
            if known is None:  # kept, so that no other code can get its number
                known = self.codes[id(code)] = (code, self._forbidden(code))
            if known[1]:
                self.hits.append(known[1])

    def _forbidden(self, code: CodeType) -> str:
        name = code.co_qualname.split(".")[0]
        if name in self.names and code.co_filename.startswith(self.roots):
            return name
        return self.copies.get(_key(code), "")

    def __enter__(self) -> LibraryWatch:
        if self.names:
            self.previous = sys.getprofile()
            if any(hasattr(place, n) for place in (torch, F, torch.nn) for n in self.names):
                self.modes.enter_context(_Functions(self))
                self.modes.enter_context(_Operations(self))
            sys.setprofile(self.profile)
        return self

    def __exit__(self, *_: object) -> None:
        if self.names:
            sys.setprofile(self.previous)
            self.modes.close()


class _Functions(TorchFunctionMode):
    """Tell the watch every function of torch, also one that is called by an early reference."""

    def __init__(self, watch: LibraryWatch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.watch.note(func)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Tell the watch every operation that torch carries out, also from scripts and overloads."""

    def __init__(self, watch: LibraryWatch) -> None:
        super().__init__()
        self.watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; True would import the compiler, over a second, at first use."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.watch.note(func)
        return func(*args, **(kwargs or {}))


@functools.cache
def _known(names: frozenset[str]) -> tuple[dict[Any, str], dict[int, tuple[CodeType, str]]]:
    """What has been looked at under these names: functions, and codes by their number."""
    return {}, {}


def _key(code: CodeType) -> tuple[Any, ...]:
    return code.co_names, code.co_varnames, code.co_argcount


@functools.cache
def _codes(names: frozenset[str]) -> dict[tuple[Any, ...], str]:
    """Functions of this package under these names, by their code."""
    found: dict[tuple[Any, ...], str] = {}
    for place, module in list(sys.modules.items()):
        if not place.startswith("course_utils.") or place.startswith("course_utils.checks"):
            continue
        for name in names & vars(module).keys():
            value = vars(module)[name]
            parts = vars(value).values() if isinstance(value, type) else [value]
            codes = [part.__code__ for part in parts if hasattr(part, "__code__")]
            found |= {_key(code): name for code in codes if len(code.co_code) >= LONG_ENOUGH}
    return found


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
