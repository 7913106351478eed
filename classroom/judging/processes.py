"""What the processes that judge have in common: how they begin."""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import TextIO

__all__ = ["apart", "heavy_of", "main_module", "results_only"]


def results_only() -> TextIO:
    """Open standard output for results; what else a notebook prints on it is lost."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return out


def main_module(imports: str, checks: str | None) -> types.ModuleType:
    """Make a ``__main__`` with a notebook's imports, load its checks, and set one thread."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(compile(imports, "<imports>", "exec"), module.__dict__)
    for heavy in heavy_of(checks):  # once here instead of once an answer
        importlib.import_module(heavy)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return module


def heavy_of(checks: str | None) -> list[str]:
    """Modules that an answer of a notebook would import at first use; this loads its checks."""
    package = importlib.import_module("course_utils.checks" + (f".{checks}" if checks else ""))
    return list(getattr(package, "HEAVY", ()))


def apart() -> None:
    """Give a fork a session of its own, with nothing to read and nowhere to print."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
