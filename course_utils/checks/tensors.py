"""Random tensors, gradients and optional arguments for the checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import fail, require

__all__ = ["assert_slopes", "draw", "gradients", "numbers", "options"]


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


def assert_slopes(
    run: Callable[[], Sequence[Tensor]],
    names: Sequence[str],
    places: Sequence[Tensor],
    *,
    hint: str = "a part was detached on the way (.detach(), .data, no_grad), or a backward of your "
    "own gives another gradient",
) -> None:
    """Gradients of what ``run`` returns are the slopes that a small step of the leaves shows.

    Each result is looked at along one random direction, and all leaves move together, so one
    wrong entry anywhere shows. The leaves are in double precision and come back as they were.
    """
    generator = numbers(11)

    def like(tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)

    ways, kept = [like(p) for p in places], [p.detach().clone() for p in places]
    results = run()
    looks, got = [like(value) for value in results], []
    for name, value, look in zip(names, results, looks, strict=True):
        require(value.requires_grad, f"No gradient flows back through {name}.", hint)
        found = torch.autograd.grad(
            (value * look).sum(), places, allow_unused=True, retain_graph=True
        )
        pairs = zip(found, ways, strict=True)
        got.append(sum(float((g * way).sum()) for g, way in pairs if g is not None))
    wanted: list[list[float]] = []
    for step in (1e-5, 3e-4):  # the second for an answer that computes in single precision inside
        moved = []
        for sign in (1, -1):
            with torch.no_grad():
                for place, way, start in zip(places, ways, kept, strict=True):
                    place.copy_(start + sign * step * way)
                moved.append([float((v * w).sum()) for v, w in zip(run(), looks, strict=True)])
        wanted.append([(up - down) / (2 * step) for up, down in zip(*moved, strict=True)])
        tolerance = 1e-4 if step == 1e-5 else 5e-3
        if all(
            abs(g - w) <= tolerance * max(1.0, abs(w)) for g, w in zip(got, wanted[-1], strict=True)
        ):
            break
    with torch.no_grad():
        for place, start in zip(places, kept, strict=True):
            place.copy_(start)
    for name, slope, fine, coarse in zip(names, got, wanted[0], wanted[-1], strict=True):
        if not abs(slope - coarse) <= 5e-3 * max(1.0, abs(coarse)):
            fail(
                f"The gradient of {name} is not its slope: a small step moves it at a rate of "
                f"{fine:.5g}, its gradient says {slope:.5g}.",
                hint,
            )


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
