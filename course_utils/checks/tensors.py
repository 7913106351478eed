"""Random tensors, gradients and optional arguments for the checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import fail, require

__all__ = ["draw", "gradients", "numbers", "options"]


def numbers(seed: int) -> torch.Generator:
    """Return a random generator of its own."""
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw normal numbers, the same for both precisions."""
    return torch.randn(*shape, generator=numbers(seed), dtype=torch.float64).to(dtype)


def gradients(loss: Tensor, inputs: Iterable[Tensor], what: str) -> list[Tensor]:
    """Differentiate ``loss``, or fail when no gradient reaches an input or it is not finite."""
    inputs = list(inputs)
    hint = "`.detach()`, `.item()`, `.data` or a detour through NumPy cuts the gradient off"
    require(loss.requires_grad, f"No gradient flows back through {what}.", hint)
    found = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)
    for tensor, gradient in zip(inputs, found, strict=True):
        if gradient is None:
            fail(f"No gradient reaches the input {tuple(tensor.shape)} through {what}.", hint)
        if not torch.isfinite(gradient).all():
            fail(
                f"The gradient of {what} is not finite (NaN or infinity).",
                "an infinity or 0/0 that is repaired only afterwards (nan_to_num, torch.where) is "
                "still there in the backward pass: avoid it before it arises",
            )
    return [g for g in found if g is not None]


def options(function: Callable[..., Any], **values: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hand optional arguments over by name, or by position where an answer names them otherwise."""
    target = function.forward if isinstance(function, nn.Module) else function
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return tuple(values.values()), {}
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if anything or values.keys() <= parameters.keys():
        return (), values
    return tuple(values.values()), {}
