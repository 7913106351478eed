"""One request of the other side, carried out here and watched."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from classroom.judging.bridge.frames import Malformed
from classroom.judging.bridge.gradients import Graphs
from classroom.judging.bridge.objects import Objects
from classroom.judging.bridge.references import plain_attribute
from classroom.judging.bridge.values import Reader
from course_utils.checks import calls

__all__ = ["perform"]

Handlers = dict[str, Callable[..., Any]]


def perform(
    header: dict[str, Any],
    reader: Reader,
    extra: dict[str, Any],
    *,
    objects: Objects,
    graphs: Graphs,
    handlers: Handlers,
    forbids: Sequence[str],
) -> Any:
    """Do what a request asks; ``extra`` takes up what the reply says besides the value."""
    op = header["op"]
    args = [reader.value(a) for a in header["args"]]
    kwargs = {str(k): reader.value(v) for k, v in header["kwargs"].items()}
    if op not in ("call", "get"):
        objects.part = (
            None  # a cell or a backward of the student's may change whatever it can reach
        )
    if op == "vjp":
        return graphs.differentiate(header["graph"], args)
    if op in handlers:
        return handlers[op](*args)
    if op not in ("call", "get"):
        raise Malformed(f"an unknown request {op!r:.40}")
    target, method = objects.target(header["target"], op)
    if op == "get":
        value = getattr(target, method)
        if objects.guarded and isinstance(target, nn.Module) and not plain_attribute(value):
            raise AttributeError(f"{method} of this model cannot be looked at here")
        return value
    inputs = [_input(tag, reader, objects) for tag in header["diff"]]
    torch.set_grad_enabled(bool(header["grad"]))
    if objects.guarded:
        value = _invoke(target, method, args, kwargs)
    else:
        torch.set_default_dtype(getattr(torch, header["default"]))
        value = _watched(target, method, args, kwargs, extra, forbids)
    extra["graph"] = inputs
    return value


def _watched(
    target: Any,
    method: str,
    args: list[Any],
    kwargs: dict[str, Any],
    extra: dict[str, Any],
    forbids: Sequence[str],
) -> Any:
    """Call an answer; note changed inputs, global states, and ready-made functions."""
    before: Any = calls.snapshot([*args, *kwargs.values()])
    numbers = _numpy_numbers()
    try:
        with calls.LibraryWatch(forbids) as watch:
            value = _invoke(target, method, args, kwargs)
    finally:
        extra["modes"] = [torch.is_grad_enabled()]
    if (_numpy_numbers() != numbers).any():
        extra["stirred"] = True
    if watch.hits:
        extra["hits"] = watch.hits[0]
    places: list[Any] = [*range(len(args)), *kwargs]
    values = [*args, *kwargs.values()]
    changed = [i for i, v in enumerate(values) if not calls.unchanged(v, before[i])]
    extra["changed"] = [(places[i], values[i]) for i in changed]
    extra["drawn"] = [
        (places[i], v.get_state()) for i, v in enumerate(values) if isinstance(v, torch.Generator)
    ]
    return value


def _invoke(target: Any, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if method == "__deepcopy__":
        return copy.deepcopy(target)
    if method == "__iter__":
        return iter(target)
    if method == "__next__":
        return next(target)
    if method == "__len__":
        return len(target)
    if method == "__getitem__":
        return target[args[0]]
    return (getattr(target, method) if method else target)(*args, **kwargs)


def _input(tag: list[Any], reader: Reader, objects: Objects) -> Tensor | None:
    if tag[0] == "tensor":
        return reader.leaves.get(int(tag[1]))
    value = objects.param(tag)
    return value if value.requires_grad else None


def _numpy_numbers() -> np.ndarray:
    """Return NumPy's global random state, which an answer may have to leave alone."""
    return np.array(np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002
