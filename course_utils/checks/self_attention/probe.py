"""Building a multi-head attention module for the checks, and calling it with care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require
from course_utils.checks.tensors import draw as _draw
from course_utils.checks.tensors import options

__all__ = ["TINY", "Answer", "build", "draw", "near", "rank", "run"]

Answer = Callable[..., Any]
TINY = 1e-4


def build(
    answer: Answer,
    d_model: int,
    num_heads: int,
    dropout: float = 0.0,
    *,
    seed: int,
    dtype: torch.dtype = torch.float64,
    std: float | None = None,
) -> nn.Module:
    """Build the module, count its parameters and draw them anew (start values are free)."""
    args, named = options(answer, **({"dropout": dropout} if dropout else {}))
    module = call(answer, d_model, num_heads, *args, **named)
    require(isinstance(module, nn.Module), f"Expected an nn.Module, got {type(module).__name__}.")
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        call(module, torch.zeros(1, 2, d_model))
    count, needed = sum(p.numel() for p in module.parameters()), 4 * d_model**2
    if count < needed:
        fail(
            f"With d_model={d_model} it has {count} parameters; four maps need {needed} and more.",
            "maps in a plain list are not found (nn.ModuleList), or bare tensors (nn.Parameter)"
            if count == 0
            else "query, key, value and the output map each have d_model x d_model weights of "
            "their own: one is missing, shared, or the same for all heads",
        )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.copy_(noise * (d_model**-0.5 if std is None else std))
    object.__setattr__(module, "_heads_expected", num_heads)
    return module.to(dtype).eval()


def draw(*shape: int, seed: int) -> Tensor:
    """Draw normal numbers in double precision."""
    return _draw(*shape, seed=seed, dtype=torch.float64)


def run(module: nn.Module, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Call the module; check kind, shape and dtype of what it returns."""
    args, named = options(module, **({} if mask is None else {"attn_mask": mask}))
    result = call(module, x, *args, **named)
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail(f"Expected two values, out and weights, got {type(result).__name__}.")
    out, weights = result
    batch, length, _ = x.shape
    want = (batch, module._heads_expected, length, length)
    for name, got, shape, hint in (
        ("out", out, tuple(x.shape), "return (out, weights), out of shape (B, T, d_model)"),
        (
            "weights",
            weights,
            want,
            "weights are (B, H, T, T): batch first, one map per head, no average",
        ),
    ):
        require(isinstance(got, Tensor), f"Expected {name} as a tensor, got {type(got).__name__}.")
        if tuple(got.shape) != shape:
            fail(f"Expected {name} with shape {shape}, got {tuple(got.shape)}.", hint)
        if got.dtype != x.dtype:
            fail(
                f"Expected {name} as {x.dtype}, got {got.dtype}.", "outputs keep the input's dtype"
            )
    return out, weights


def near(a: Tensor, b: Tensor, tolerance: float = TINY) -> bool:
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())


def rank(matrix: Tensor) -> int:
    values = torch.linalg.svdvals(matrix)
    return int((values > TINY * values[0]).sum())
