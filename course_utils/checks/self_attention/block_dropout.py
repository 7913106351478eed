"""Probing where an encoder block drops: both branches at their end, and the attention weights.

One note, many times: then everything the block adds to a token is two vectors, the attention's
``a`` and the second branch's ``f``, each number of which is dropped or not. Both are dropped
together with chance rate², which leaves x itself; dropped attention weights let all numbers of
``a`` vary as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.block import LARGE, build_block
from course_utils.checks.self_attention.probe import draw, run

__all__ = ["examine_block_dropout"]


def examine_block_dropout(
    answer: Callable[..., Any], *, rate: float, seed: int, copies: int = 4000
) -> None:
    """Check that dropout acts in training alone, on the right things, at its rate."""
    d_model = 8
    module = build_block(answer, d_model, 1, 12, rate, seed=seed)
    calm = build_block(answer, d_model, 1, 12, seed=seed)
    x = draw(2, 4, d_model, seed=seed + 1)
    with torch.no_grad():
        require(
            bool(torch.allclose(run(module, x)[0], run(module, x)[0])),
            "In evaluation mode two calls differ.",
            "dropout acts in training mode only: nn.Dropout knows, F.dropout needs self.training",
        )
        require(
            bool(torch.allclose(run(calm.train(), x)[0], run(calm.eval(), x)[0])),
            "With dropout=0.0 training mode changes the output.",
            "the rate is the argument `dropout`, not a number of its own",
        )
        weights = run(module.train(), x)[1]
        require(
            bool(torch.allclose(weights, run(module.eval(), x)[1])),
            "In training mode the returned weights differ from those in evaluation mode.",
            "the weights come back before dropout, and norm1 reads x before any dropout",
        )
        _examine_share(module, copies, rate, seed + 2)
        one = (LARGE * draw(1, 1, d_model, seed=seed + 2)).expand(copies, 1, d_model)
        nobody = torch.zeros(1, 1, 1, 1, dtype=torch.bool)
        module.train()
        full = (run(module, one)[0] - one)[:, 0]  # (copies, d_model)
        empty = (run(module, one, nobody)[0] - one)[:, 0]
        module.eval()
        calm_full = (run(module, one[:1])[0] - one[:1])[0, 0]
        calm_empty = (run(module, one[:1], nobody)[0] - one[:1])[0, 0]
    mean, error = full.mean(0), full.std(0) / copies**0.5
    require(
        bool(((mean - calm_full).abs() <= 6 * error + 1e-3).all()),
        "On average training adds something else than evaluation does.",
        "what is kept is divided by 1 - rate (nn.Dropout does it)",
    )
    _examine_weights(full, empty, calm_full - calm_empty, rate)


def _examine_share(module: nn.Module, copies: int, rate: float, seed: int) -> None:
    """Both branches drop a number together with chance rate²."""
    x = (LARGE * draw(1, 8, 8, seed=seed)).expand(copies // 8, 8, 8)
    added = run(module.train(), x)[0] - x
    calm = run(module.eval(), x[:1])[0] - x[:1]
    silent = float((added.abs() <= 1e-6 * calm.abs().max()).double().mean())
    if abs(silent - rate**2) <= 0.25 * rate**2 + 0.01:
        return
    seen = (
        f"With dropout={rate:g} a share of {silent:.3f} of the numbers comes through as x alone; "
        f"two branches make it {rate**2:.3f}."
    )
    if abs(silent - (1 - rate) ** 2) < 0.02:
        hint = "dropout's argument is the share that is dropped, not the share that is kept"
    elif abs(silent - rate) < 0.05:
        hint = "dropout acts once on the sum of both branches, or one branch adds nothing"
    elif silent < 1e-3:
        hint = "one or both branches reach the sum without dropout: x + drop(branch)"
    else:
        hint = "each branch is dropped once, number by number, with rate `dropout`: nn.Dropout"
    fail(seen, hint)


def _examine_weights(
    full: torch.Tensor, empty: torch.Tensor, attended: torch.Tensor, rate: float
) -> None:
    """Dropped attention weights make the numbers of a token's context vary together."""

    def together(sample: torch.Tensor) -> torch.Tensor:
        moments = torch.cov(sample.T)
        return moments - moments.diagonal().diag()

    pattern = torch.outer(attended, attended)
    pattern = pattern - pattern.diagonal().diag()
    excess = float(((together(full) - together(empty)) * pattern).sum() / pattern.square().sum())
    want = rate / (1 - rate)
    if excess < 0.4 * want:
        fail(
            "In training mode no attention weight is dropped.",
            "hand `dropout` on: MultiHeadSelfAttention(d_model, num_heads, dropout)",
        )
    require(
        excess < 1.8 * want,
        f"More than a share of {rate:g} of the attention weights is dropped.",
        "the rate for the attention weights is the same `dropout`",
    )
