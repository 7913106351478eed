"""Visible feedback on the exercises, one module a notebook.

``checks.self_attention.masked_mean_pool(masked_mean_pool)`` prints one line when the answer is
right and raises :class:`CheckFailed` with a short message when it is not.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from course_utils.checks._core import (
    CheckFailed,
    NotAttempted,
    Notebook,
    call,
    fail,
    hidden,
    require,
    same,
    setup,
)
from course_utils.checks_index import MODULES

__all__ = [
    "MODULES",
    "CheckFailed",
    "NotAttempted",
    "Notebook",
    "call",
    "fail",
    "hidden",
    "require",
    "same",
    "setup",
]


def __getattr__(name: str) -> ModuleType:
    if name in MODULES.values():
        return importlib.import_module(f"course_utils.checks.{name}")
    raise AttributeError(f"module 'course_utils.checks' has no attribute {name!r}")
