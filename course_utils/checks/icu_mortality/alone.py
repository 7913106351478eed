"""Calls that leave no trace: random states, gradient mode, and a model that fails half-way."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.checks.calls import call
from course_utils.checks.core import require


class ModelFailed(RuntimeError):
    """What a model of the checks raises when it is told to fail."""


def _random_states() -> dict[str, object]:
    kind, keys, place, *_ = np.random.get_state()  # noqa: NPY002
    return {
        "PyTorch": torch.get_rng_state().numpy().tobytes(),
        "NumPy": (kind, np.asarray(keys).tobytes(), place),
        "Python": random.getstate(),
    }


def call_alone(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call an answer; fail when a global random state or the gradient mode is another afterwards.

    Returns
    -------
    Whatever ``function(*args, **kwargs)`` returns.
    """
    before, gradients = _random_states(), torch.is_grad_enabled()
    result = call(function, *args, **kwargs)
    for name, state in _random_states().items():
        require(
            state == before[name],
            f"{name}'s global random state was changed.",
            "a generator of your own: np.random.default_rng(seed) or "
            "torch.Generator().manual_seed(seed)",
        )
    require(
        torch.is_grad_enabled() == gradients,
        "Gradients are switched off or on for everybody afterwards.",
        "with torch.no_grad(): … ends by itself; torch.set_grad_enabled(False) does not",
    )
    return result


def restored_when_it_fails(answer: Callable, model: nn.Module, *args: Any) -> None:
    """A model in training mode whose forward raises is in training mode afterwards.

    ``model`` has an attribute ``fails_at``: its forward raises :class:`ModelFailed` at that call.
    """
    for fails_at in (1, 2):
        model.train()
        model.fails_at = fails_at  # type: ignore[assignment]
        with contextlib.suppress(Exception):  # whatever the answer makes of the error
            answer(model, *args)
        require(
            all(module.training for module in model.modules()),
            "The model's forward raised an error, and the model was left in evaluation mode.",
            "restore the mode in `finally:`, which also runs when an error passes by",
        )
        require(
            torch.is_grad_enabled(),
            "The model's forward raised an error, and gradients were left switched off.",
            "with torch.no_grad(): … ends by itself, also when an error passes by",
        )
