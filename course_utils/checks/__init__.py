"""Visible feedback on the exercises, one package or module a notebook.

``checks.self_attention.masked_mean_pool(masked_mean_pool)`` prints one line when the answer is
right and raises :class:`CheckFailed` with a short message when it is not. Nothing heavy is imported
before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.checks.calls import call
    from course_utils.checks.compare import same
    from course_utils.checks.core import CheckFailed, NotAttempted, fail, hidden, require
    from course_utils.checks.guessing import Guess, guess
    from course_utils.checks.notebook import Notebook, setup

__all__ = [
    "MODULES",
    "CheckFailed",
    "Guess",
    "NotAttempted",
    "Notebook",
    "call",
    "fail",
    "guess",
    "hidden",
    "require",
    "same",
    "setup",
]

_PLACES = {
    "call": "calls",
    "same": "compare",
    "Guess": "guessing",
    "guess": "guessing",
    "Notebook": "notebook",
    "setup": "notebook",
}
MODULES = {  # notebook -> what holds its checks
    "00_start_here": "start_here",
    "01_self_attention": "self_attention",
    "02_grounded_cross_attention": "grounded_cross_attention",
    "03_multimodal_fusion_ecg": "multimodal_fusion_ecg",
    "04_clinicalbert_embeddings": "clinicalbert_embeddings",
    "05_icu_mortality": "icu_mortality",
}


def __getattr__(name: str) -> Any:
    if name in MODULES.values():
        return importlib.import_module(f"course_utils.checks.{name}")
    if name in __all__:
        place = _PLACES.get(name, "core")
        return getattr(importlib.import_module(f"course_utils.checks.{place}"), name)
    raise AttributeError(f"module 'course_utils.checks' has no attribute {name!r}")
