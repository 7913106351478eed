"""Rotary positions against complex multiplication, which turns pairs of numbers by an angle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail
from course_utils.checks.tensors import draw, gradients, options

__all__ = ["compare_rotary", "compare_rotary_gradient", "refuses_odd_width", "turned"]

Answer = Callable[..., Any]


def turned(x: Tensor, angle: Tensor) -> Tensor:
    """Features 2i and 2i+1 of ``x (..., T, d)`` turned by ``angle (T, d/2)``, counter-clockwise."""
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    turn = torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


def _angle(positions: Tensor, d: int, base: float = 10000.0, power: float = 2.0) -> Tensor:
    """Angles ``positions · base^(−power·i/d)``, (T, d/2), in double precision."""
    i = torch.arange(d // 2, dtype=torch.float64)
    return positions.double()[:, None] * base ** (-power * i / d)


def _mistakes(x: Tensor, positions: Tensor, base: float) -> dict[str, Tensor]:
    """What common mistakes make of this input."""
    d, count = x.size(-1), len(positions)
    angle = _angle(positions, d, base)
    halves = x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)  # features i and i + d/2
    rows = torch.arange(count)
    # the two terms of a rotation
    alone = {
        "cos": turned(x, angle) + turned(x, -angle),
        "sin": turned(x, angle) - turned(x, -angle),
    }
    cosine, sine = alone["cos"] / 2, alone["sin"] / 2
    return {
        "nothing is turned at all": x,
        "turned clockwise: the minus sign stands at the sine of the *first* new feature": turned(
            x, -angle
        ),
        "pairs are features i and i + d/2 (halves); here they are the neighbours 2i and 2i + 1": (
            turned(halves, angle).unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)
        ),
        "results of the pairs are concatenated; they belong back at the places 2i and 2i + 1": (
            turned(x, angle).unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)
        ),
        "positions are not used: a row's own number turned it": turned(x, _angle(rows, d, base)),
        "`base` is not used": turned(x, _angle(positions, d)),
        "the exponent is −i/d; with pair number i it is −2i/d": turned(
            x, _angle(positions, d, base, 1.0)
        ),
        "the exponent is −4i/d: 2i was doubled once more": turned(
            x, _angle(positions, d, base, 4.0)
        ),
        "the angle grows with i: the exponent's minus is missing": turned(
            x, _angle(positions, d, base, -2.0)
        ),
        "every pair is turned by the same angle": turned(x, angle[:, :1].expand_as(angle)),
        "the absolute position is used; negative positions turn the other way": turned(
            x, _angle(positions.abs(), d, base)
        ),
        "positions count from 1, or one was added": turned(x, _angle(positions + 1, d, base)),
        "degrees in place of radians": turned(x, angle * math.pi / 180),
        "sine and cosine are swapped": turned(x, math.pi / 2 - angle),
        "the cosine term alone": cosine,
        "the sine term alone": sine,
        "both terms are added, in both features (a minus is missing)": _no_minus(x, angle),
        "positions were sorted": turned(x, _angle(positions.sort().values, d, base)),
        "the angles lost their digits: compute them in float32 or better": turned(
            x, angle.to(torch.bfloat16).double()
        ),
        "x was added once more": x + turned(x, angle),
    }


def _no_minus(x: Tensor, angle: Tensor) -> Tensor:
    even, odd = x.double()[..., 0::2], x.double()[..., 1::2]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([even * cos + odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)


def compare_rotary(answer: Answer, x: Tensor, positions: Tensor, base: float | None = None) -> None:
    """Fail unless ``answer(x, positions[, base])`` turns every pair by its angle."""
    args, named = options(answer, **({} if base is None else {"base": base}))
    got = call(answer, x, positions, *args, **named)
    used = 10000.0 if base is None else base
    want = turned(x, _angle(positions, x.size(-1), used))
    coarse = {torch.bfloat16: 2e-2, torch.float16: 3e-3}.get(x.dtype, 2e-4)
    limits = {"rtol": coarse if coarse > 1e-3 else 0.0, "atol": coarse}
    mistakes = _mistakes(x, positions, used)
    same(got, want, "the turned features", **limits, mistakes=mistakes)  # type: ignore[arg-type]


def compare_rotary_gradient(answer: Answer, x: Tensor, positions: Tensor) -> None:
    """Fail unless the gradient is the slope, turned back."""
    x = x.clone().requires_grad_()
    slope = draw(*x.shape, seed=91, dtype=x.dtype) / 2
    out = call(answer, x, positions)
    if not isinstance(out, Tensor) or out.shape != x.shape:
        return  # the comparison of values says it better
    found = gradients((out * slope).sum(), [x], "the turned features")[0]
    want = turned(slope, -_angle(positions, x.size(-1)))
    same(found, want, "the gradient of x", rtol=0.0, atol=2e-4)


def refuses_odd_width(answer: Answer, d: int) -> None:
    """Fail unless an odd number of features raises ValueError."""
    x, positions = torch.zeros(2, d), torch.arange(2)
    try:
        answer(x, positions)
    except (ValueError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError):
            call(answer, x, positions)
        return
    except Exception as error:
        seen = f"raised {type(error).__name__}"
    else:
        seen = "nothing was raised"
    fail(
        f"With d = {d} features one has no partner: expected a ValueError, {seen}.",
        "`raise ValueError(...)` when x.size(-1) % 2 is not 0 (not `assert`), before anything else",
    )
