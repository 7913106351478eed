"""What may be done with objects that are handed over, and what is told about them."""

from __future__ import annotations

import builtins
import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from classroom.judging.bridge.modules import REMOTE, write_signature
from course_utils.checks import core

__all__ = [
    "DUNDERS",
    "about",
    "allowed",
    "home",
    "may_travel",
    "overwrite",
    "plain_attribute",
    "rebuild",
]

DUNDERS = ("__call__", "__iter__", "__next__", "__len__", "__getitem__")
OPTIMIZER = ("step", "zero_grad", "param_groups", "state_dict")


def rebuild(mro: list[str], text: str, bare: bool) -> BaseException:
    """Make an exception of the same name and text, of the nearest kind that exists here."""
    ours: dict[str, type[BaseException]] = {
        "CheckFailed": core.CheckFailed,
        "NotAttempted": core.NotAttempted,
    }
    base: type[BaseException] = Exception
    for name in mro:
        found = ours.get(name, getattr(builtins, name, None))
        if isinstance(found, type) and issubclass(found, BaseException):
            base = found
            break
    body = {"__str__": lambda self: text, "__module__": "builtins", "__init__": _no_init}
    if issubclass(base, BaseExceptionGroup):  # which cannot be made without its parts
        base = Exception
    kind: Any = type(str(mro[0])[:80] if mro else "Exception", (base,), body)
    error: BaseException = kind.__new__(kind)
    error.args = () if bare else (text,)
    return error


def _no_init(self: BaseException, *args: Any) -> None:
    """An exception is filled by hand."""


def overwrite(where: Any, old: Any, new: Any) -> None:
    """Do to an argument what was done to it over there."""
    with contextlib.suppress(Exception), torch.no_grad():
        if isinstance(old, Tensor) and isinstance(new, Tensor) and old.shape == new.shape:
            old.detach().copy_(new)
            return
        if isinstance(old, list) and isinstance(new, list):
            old[:] = new
            return
        if isinstance(old, dict) and isinstance(new, dict):
            old.clear()
            old.update(new)
            return
        if type(old).__module__.startswith("numpy") and old.shape == new.shape:
            old[...] = new
            return
    name = f"argument {where + 1}" if isinstance(where, int) else where
    core.fail(
        f"The input `{name}` was changed ({core.describe(new)}).",
        "an in-place operation on an argument; work on a copy",
    )


def allowed(target: Any, method: Any, op: str) -> bool:
    """Whether the untrusted side may use this of an object that it was handed."""
    if not isinstance(method, str):
        return False
    if isinstance(target, torch.optim.Optimizer):
        return method in OPTIMIZER
    if isinstance(target, nn.Module):
        if op == "get":
            return not method.startswith("_") and not callable(getattr(target, method, None))
        return method in REMOTE or method in ("", "__deepcopy__", "get_input_embeddings")
    name = method or "__call__"
    return op == "call" and name in DUNDERS and has(target, name)


def has(value: Any, name: str) -> bool:
    """Whether the class of a value has a method, its own and not its metaclass's."""
    return any(name in vars(kind) for kind in type(value).__mro__)


def plain_attribute(value: Any) -> bool:
    """Whether an attribute of a model is a size or a configuration, and nothing that opens more."""
    kinds = (bool, int, float, str, torch.Size, torch.dtype, torch.device, type(None))
    if isinstance(value, tuple):
        return all(isinstance(v, kinds) for v in value)
    return isinstance(value, kinds) or type(value).__name__.endswith("Config")


def may_travel(value: Any) -> bool:
    """Whether the judge hands this over at all."""
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return True
    return any(has(value, n) for n in DUNDERS) and not isinstance(value, type)


def home(value: Any) -> str:
    """Module that a value or a class comes from; the library's when any base is the library's."""
    kinds = value.__mro__ if isinstance(value, type) else (value,)
    names = [str(getattr(k, "__module__", "")) for k in kinds]
    return next((n for n in names if n.startswith("course_utils.")), names[0])


def about(value: Any) -> dict[str, Any]:
    """What the other side needs to know of an object."""
    try:
        text = repr(value)[:200]
    except BaseException:
        text = type(value).__name__
    kind = "type" if isinstance(value, type) else type(value).__name__
    return {
        "type": kind,
        "name": str(getattr(value, "__name__", kind))[:100],
        "module": home(value),
        "text": text,
        "signature": write_signature(value) if callable(value) else None,
        "dunders": [n for n in DUNDERS if has(value, n) or (n == "__call__" and callable(value))],
    }
