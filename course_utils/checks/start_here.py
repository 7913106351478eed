"""Visible checks of notebook 00: three warm-ups without points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail, require
from course_utils.checks.notebook import Notebook
from course_utils.checks.tensors import draw, gradients, numbers

__all__ = [
    "NOTEBOOK",
    "batched_dot",
    "broadcast_add",
    "compare_dot",
    "compare_softmax",
    "compare_sums",
    "draw",
    "masked_softmax",
    "numbers",
    "summary",
]

NOTEBOOK = Notebook("00_start_here")
summary = NOTEBOOK.summary
NEAR: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


def _explained(hint: str, answer: Callable[..., Any], *args: Tensor) -> Tensor:
    """Call the answer; when it raises, add a hint to what it raised."""
    try:
        got = call(answer, *args)
    except CheckFailed as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        if lines and lines[0].startswith("It raised"):
            fail("\n".join(lines[:2]), hint)
        raise
    require(
        isinstance(got, Tensor),
        f"Expected a tensor, got {type(got).__name__}.",
        "is there a `return`? stay in torch: no NumPy here",
    )
    return got


def compare_sums(answer: Callable[..., Any], rows: Tensor, columns: Tensor) -> None:
    """Compare with the sums of all pairs."""
    want = torch.cartesian_prod(rows, columns).sum(1).view(len(rows), len(columns))
    hint = (
        "PyTorch lines shapes up from the right: (T, 1) and (1, S) broadcast to (T, S), an error "
        "means two sizes met that are neither equal nor 1"
    )
    got = _explained(hint, answer, rows, columns)
    if got.shape != want.shape:
        swapped = got.shape == want.T.shape
        fail(
            f"Expected shape (T, S) = {tuple(want.shape)}, got {tuple(got.shape)}.",
            "rows and columns are swapped: `rows` runs downwards" if swapped else hint,
        )
    mistakes = {
        "a product, where the sum is wanted": torch.outer(rows, columns),
        "a difference, where the sum is wanted": -torch.outer(torch.ones_like(rows), columns)
        + rows[:, None],
        "`rows` is added to itself: `columns` belongs along the second dimension": (
            rows[:, None] + rows[:1]
        ).expand_as(want),
        "rows and columns are swapped: `rows` runs downwards": want.T,
    }
    same(got, want, "the table of sums", mistakes=mistakes, **NEAR)


@NOTEBOOK.exercise(points=0)
def broadcast_add(answer: Callable[..., Any]) -> str:
    """Compare with the sums of all pairs, for T and S that differ."""
    for dtype in (torch.float32, torch.float64):
        compare_sums(answer, draw(3, seed=1, dtype=dtype), draw(5, seed=2, dtype=dtype))
        compare_sums(answer, draw(1, seed=3, dtype=dtype), draw(4, seed=4, dtype=dtype))
    return "every pair, T and S that differ, float32 and float64"


def compare_softmax(answer: Callable[..., Any], scores: Tensor, mask: Tensor) -> None:
    """Compare with torch's softmax over the entries that are kept, row by row."""
    rows = []
    flat = scores.reshape(-1, scores.size(-1))
    for row, keep in zip(flat, mask.reshape(flat.shape), strict=True):
        full = torch.zeros_like(row)
        full[keep] = F.softmax(row[keep], dim=0)
        rows.append(full)
    want = torch.stack(rows).view_as(scores)
    got = _explained("the mask has the shape of the scores, True = keep", answer, scores, mask)
    full = scores.softmax(-1)
    kept = scores.masked_fill(~mask, float("-inf"))
    mistakes = {
        "the mask is not used": full,
        "the mask is read the other way round: True = keep": torch.nan_to_num(
            scores.masked_fill(mask, float("-inf")).softmax(-1)
        ),
        "the mask comes after the softmax, so rows no longer sum to one: mask the scores before "
        "it": full * mask,
        "masked scores become 0, and exp(0) = 1: the mask needs minus infinity": scores.masked_fill(
            ~mask, 0.0
        ).softmax(-1)
        * mask.any(-1, keepdim=True),
        "masked scores become 0, and exp(0) = 1: a mask after it is late": scores.masked_fill(
            ~mask, 0.0
        ).softmax(-1)
        * mask,
        "the softmax runs over the first dimension; it belongs over the last one": torch.nan_to_num(
            kept.softmax(0)
        ),
        "the logarithm of the softmax: take the softmax itself": torch.where(
            mask, kept.log_softmax(-1), 0.0
        ),
        "each row is divided by its sum without the exponential, exp, first": scores
        * mask
        / (scores * mask).sum(-1, keepdim=True),
    }
    alive = mask.any(-1)
    near = NEAR if scores.dtype in (torch.float32, torch.float64) else {"rtol": 0.03, "atol": 0.03}
    if got.shape == want.shape:
        kept_rows = {k: v[alive] for k, v in mistakes.items()}
        same(got[alive], want[alive], "the softmax of a row", mistakes=kept_rows, **near)
        dead = got.detach()[~alive]
        if dead.numel() and torch.isnan(dead).any():
            fail(
                "A row that is masked completely must be zero, got NaN.",
                "a softmax over nothing but minus infinity is 0/0 = NaN: set it to zero after",
            )
        if dead.numel() and bool((dead != 0).any()):
            fail(
                f"A row that is masked completely must be zero, got {dead.flatten()[0]:.4g}, ….",
                "with -1e9 for minus infinity such a row is even, not empty: set it to zero",
            )
    same(got, want, "the masked softmax", **near)


@NOTEBOOK.exercise(points=0)
def masked_softmax(answer: Callable[..., Any]) -> str:
    """Compare with torch's softmax on what is kept."""
    for dtype in (torch.float32, torch.float64):
        scores = 2 * draw(2, 4, 5, seed=11, dtype=dtype)
        mask = torch.rand(2, 4, 5, generator=numbers(12)) < 0.6
        mask[..., 1] = True
        compare_softmax(answer, scores, mask)
        mask[1, 2] = False
        compare_softmax(answer, scores, mask)
        scores.requires_grad_()
        slope = draw(2, 4, 5, seed=13, dtype=dtype)
        got = call(answer, scores, mask)
        found = gradients((got * slope).sum(), [scores], "the masked softmax")[0]
        weights = got.detach()
        want = weights * (slope - (weights * slope).sum(-1, keepdim=True))
        same(found, want, "the gradient of the scores", rtol=1e-4, atol=1e-6)
    # Every score is -10 million: a masked one may not come before those that are kept.
    compare_softmax(answer, torch.full((2, 3), -1e7), torch.tensor([[True, False, True]] * 2))
    coarse = draw(4, 5, seed=14).to(torch.bfloat16)
    compare_softmax(answer, coarse, torch.ones(4, 5, dtype=torch.bool).tril())
    return "rows that sum to one, masked entries, a row without any, very low scores, gradients"


def compare_dot(answer: Callable[..., Any], a: Tensor, b: Tensor) -> None:
    """Compare with the dot products taken one by one."""
    want = torch.stack(
        [torch.stack([torch.mv(y, row) for row in x]) for x, y in zip(a, b, strict=True)]
    )
    hint = "a is (B, T, D), so b must become (B, D, S): swap its last two dimensions, not more"
    got = _explained(hint, answer, a, b)
    if got.shape != want.shape:
        swapped = got.shape == want.mT.shape
        fail(
            f"Expected shape (B, T, S) = {tuple(want.shape)}, got {tuple(got.shape)}.",
            "T and S are swapped: rows of the result belong to a"
            if swapped
            else "every vector of a meets every vector of b: (B, T, D) @ (B, D, S)",
        )
    width = a.size(-1)
    mistakes = {
        "b was reshaped where a transpose is needed: transpose(1, 2) swaps dimensions": a
        @ b.reshape(b.size(0), b.size(2), b.size(1)),
        "a scale of 1/sqrt(D): not here yet": want / width**0.5,
        "the mean over D, where the sum is wanted": want / width,
        "the first b serves the whole batch": a @ b[0].T,
        "the batch is summed: every batch entry has a and b of its own": a @ b.sum(0).T,
        "a cosine: the dot product has no normalisation": F.normalize(a, dim=-1)
        @ F.normalize(b, dim=-1).mT,
    }
    same(got, want, "the dot products", mistakes=mistakes, **NEAR)


@NOTEBOOK.exercise(points=0)
def batched_dot(answer: Callable[..., Any]) -> str:
    """Compare with dot products taken one by one."""
    for dtype in (torch.float32, torch.float64):
        compare_dot(
            answer, draw(2, 3, 4, seed=21, dtype=dtype), draw(2, 5, 4, seed=22, dtype=dtype)
        )
    return "every pair of vectors within each batch entry, float32 and float64"
