"""Worked examples of the pointing game and of intersection over union."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import require

__all__ = ["examine_iou", "examine_pointing", "python_float"]


def python_float(value: Any, what: str) -> float:
    """Fail unless the value is a Python float (NumPy's float64 is one)."""
    require(
        isinstance(value, float),
        f"Expected {what} as a Python float, got {type(value).__name__}.",
        "`float(...)` or `.item()` turns a 0-d tensor into a number"
        if isinstance(value, Tensor)
        else None,
    )
    return value


def examine_pointing(answer: Callable[..., float]) -> None:
    """Compare hits and misses in worked examples."""
    weights = torch.tensor(
        [
            [[0.1, 0.6, 0.3, 0.0], [0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.5, 0.1]],
            [[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25, 0.3, 0.25, 0.2]],
        ]
    )
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    masks[0, 0, 1] = masks[0, 1, 1] = masks[0, 2, 0] = masks[0, 2, 2] = masks[1, 1, 3] = True
    mistakes = {
        "tokens without a mask are counted; they have nothing to point at": 3 / 6,
        "the mean was taken per report first; it is one mean over all tokens with a mask": (
            2 / 3 + 1
        )
        / 2,
        "the score is the attention inside the mask; count hits of the top patch": 1.8 / 4,
        "row t of weights is already aligned with row t of masks: do not shift here": 0.0,
    }
    for dtype in (torch.float32, torch.float64):
        for kind in (torch.bool, dtype):
            got = call(answer, weights.to(dtype), masks.to(kind))
            same(
                python_float(got, "the score"),
                3 / 4,
                "the score (hits at 3 of 4 tokens)",
                mistakes=mistakes,
            )
    faint = masks.float() * 0.2
    same(
        call(answer, weights, faint),
        3 / 4,
        "the score with masks that hold 0.2",
        mistakes={"an entry above 0 belongs to the mask, also when it is below 0.5 or 1": 0.0},
    )
    same(
        call(answer, weights * torch.tensor([[[3.0], [0.5], [9.0]]]), masks),
        3 / 4,
        "the score when rows do not sum to one",
    )
    same(
        call(answer, weights - 1, masks),
        3 / 4,
        "the score with negative numbers, as of minus the brightness",
        mistakes={
            "the largest number counts as it is: no absolute value, no cut at 0": float(
                call(answer, (weights - 1).abs(), masks)
            )
        },
    )
    same(call(answer, weights[:1], masks[:1]), 2 / 3, "the score of a batch of one")
    got = python_float(call(answer, weights, torch.zeros_like(masks)), "the score without any mask")
    require(math.isnan(got), f"Expected nan when no token has a mask, got {got}.")


def examine_iou(answer: Callable[..., float]) -> None:
    """Compare overlaps in worked examples."""
    weights = torch.tensor(
        [[[0.05, 0.5, 0.3, 0.15], [0.7, 0.1, 0.1, 0.1]], [[0.0, 0.2, 0.0, 0.8]] * 2]
    )
    masks = torch.zeros(2, 2, 4, dtype=torch.bool)
    masks[0, 0, 1] = masks[0, 0, 2] = masks[1, 0, 3] = True
    masks[1, 1, :3] = True
    # keep = 0.9: sets {1, 2, 3}, -, {1, 3}, {1, 3}; overlap over union 2/3, -, 1/2, 1/4
    want = (2 / 3 + 1 / 2 + 1 / 4) / 3
    mistakes = {
        "tokens without a mask are counted": 3 * want / 4,
        "the patch that carries the sum across `keep` belongs to the set": 2 / 3,
        "all patches were taken together; the score is a mean of one IoU per token": 4 / 9,
        "twice the overlap over the sum of sizes is Dice; IoU divides by the union": 28 / 45,
        "overlap is divided by the set alone, not by the union": 5 / 9,
        "overlap is divided by the mask alone, not by the union": 7 / 9,
        "the mean was taken per report first": (2 / 3 + 3 / 8) / 2,
    }
    for dtype in (torch.float32, torch.float64):
        for kind in (torch.bool, dtype):
            got = call(answer, weights.to(dtype), masks.to(kind))
            same(python_float(got, "the score"), want, "the score", mistakes=mistakes, rtol=1e-5)
    same(
        call(answer, weights * 5, masks, keep=0.9),
        want,
        "the score when rows sum to 5",
        rtol=1e-5,
        mistakes={"`keep` is a share of the row's own sum": 0.5},
    )
    for dtype in (torch.float32, torch.float64):
        one = torch.tensor([[[0.325, 0.25, 0.225, 0.15, 0.05]]], dtype=dtype)
        mask = torch.tensor([[[True, True, True, False, False]]])
        same(
            call(answer, one, mask, keep=0.8),
            1.0,
            "the score for attention 0.325, 0.25, 0.225, 0.15, 0.05 and keep 0.8",
            mistakes={"three patches hold 0.8 but for rounding: allow 1e-6": 3 / 4},
        )
        same(call(answer, one, mask, 0.5), 2 / 3, "the same with keep 0.5", rtol=1e-5)
    dyadic = torch.tensor([[[0.5, 0.0, 0.25, 0.25]]])
    full = torch.tensor([[[True, False, True, True]]])
    same(
        call(answer, dyadic, full, keep=1.0),
        1.0,
        "the score with keep = 1",
        mistakes={"a patch without attention is never needed": 3 / 4},
    )
    same(
        call(answer, torch.zeros(1, 1, 4), full),
        0.0,
        "the score of a row without attention",
        mistakes={"a row without attention holds no patch, so its IoU is 0": 1 / 3},
    )
    got = python_float(call(answer, weights, torch.zeros_like(masks)), "the score without any mask")
    require(math.isnan(got), f"Expected nan when no token has a mask, got {got}.")
