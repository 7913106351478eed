"""Whether dropout acts on single attention weights, and in training alone."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.heads import value_matrices
from course_utils.checks.self_attention.probe import Answer, build, draw, near, run

__all__ = ["examine_dropout"]

WEIGHTS_RULE = "the attention weights, after the softmax and before they meet the values"


def examine_dropout(
    answer: Answer, d_model: int, num_heads: int, length: int, *, rate: float, seed: int
) -> None:
    """Check that training drops single attention weights, at the rate asked, and scales the rest.

    Every row of out in training must be one of the 2^(H·T) sums that dropping weights can give.
    """
    module = build(answer, d_model, num_heads, dropout=rate, seed=seed, std=0.5)
    x = 0.7 * draw(300, length, d_model, seed=seed + 1)
    with torch.no_grad():
        out, weights = run(module, x)
        if not near(run(module, x)[0], out):
            fail(
                "In evaluation mode two calls differ.",
                "dropout acts in eval mode: F.dropout needs training=self.training",
            )
        values = value_matrices(x, out, weights)
        parts = torch.einsum("bhts,bsd,hde->bthse", weights, x, values)
        bias, shared = _biases(module, x, parts.sum(3))
        parts = (parts + torch.einsum("bhts,he->bthse", weights, shared)).flatten(2, 3)
        noisy, returned = run(module.train(), x)
        if not near(returned, weights):
            fail(
                "In training mode the returned weights differ from those of evaluation mode.",
                "return the weights before dropout (and drop weights, not scores or inputs)",
            )
        if near(noisy, out):
            fail(
                f"With dropout={rate:g} training mode changes nothing.",
                f"dropout is not used: it acts on {WEIGHTS_RULE}",
            )
        patterns = torch.tensor(
            list(itertools.product((0.0, 1.0), repeat=num_heads * length)), dtype=x.dtype
        )
        dropped = _match(noisy, parts, bias, patterns, 1 / (1 - rate))
        if dropped is None:
            bare = _match(noisy, parts, bias, patterns, 1.0)
            inverse = _match(noisy, parts, bias, patterns, 1 / rate)
            fail(
                f"With dropout={rate:g}, out in training mode is not what dropping single "
                "attention weights gives.",
                "dropout keeps a share 1 - p and divides it by 1 - p; here the rest is not scaled"
                if bare is not None
                else "dropout's argument is the share that is dropped, not the share that is kept"
                if inverse is not None
                else f"dropout acts on {WEIGHTS_RULE}, not on values, context or output",
            )
        _examine_shares(dropped, rate)
        everything = torch.ones(1, 1, length, length, dtype=torch.bool)
        masked = run(module, x, everything)[0]
        require(
            not near(masked, out)
            and _match(masked, parts, bias, patterns, 1 / (1 - rate)) is not None,
            f"With dropout={rate:g} and an attn_mask, training mode does not drop weights.",
            "dropout belongs to both ways, with a mask and without",
        )
        calm = build(answer, d_model, num_heads, seed=seed).train()
        require(
            near(run(calm, x[:2])[0], run(calm.eval(), x[:2])[0]),
            "With dropout=0.0 training mode changes the output.",
        )


def _examine_shares(dropped: Tensor, rate: float) -> None:
    """Check how many weights are dropped (1 = dropped), and that each is by a coin of its own."""
    share = float(dropped.mean())
    coins = dropped.flatten(1)  # (B, T * H * S)
    one_for_all = bool((coins == coins[:1]).all())
    if abs(share - rate) > 0.08 and not one_for_all:
        fail(
            f"With dropout={rate:g} a share of {share:.2g} of the weights is dropped.",
            "dropout's argument is the share that is dropped, not the share that is kept",
        )
    each = coins.mean(0)
    common = torch.corrcoef(coins.T)
    common = common[~torch.eye(len(common), dtype=torch.bool)]
    together = bool((common.abs() > 0.5).any())
    if one_for_all or together or bool(((each - rate).abs() > 0.2).any()):
        fail(
            f"With dropout={rate:g} some attention weights are always dropped together.",
            "every single weight has a coin of its own: not one for a head, a key, a query or the "
            "batch (nn.Dropout on the weights, not Dropout1d or Dropout2d)",
        )


def _biases(module: nn.Module, x: Tensor, contexts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output map's bias and, for each head, what the bias of its values adds to out."""
    heads, length = contexts.size(2), x.size(1)
    nothing = torch.zeros(1, heads, length, length, dtype=torch.bool)
    bias = run(module, x, nothing)[0][0, 0]
    shared = []
    for h in range(heads):
        mask = nothing.clone()
        mask[:, h] = True
        shared.append((run(module, x, mask)[0] - contexts[:, :, h] - bias).mean((0, 1)))
    return bias, torch.stack(shared)


def _match(
    noisy: Tensor, parts: Tensor, bias: Tensor, patterns: Tensor, factor: float
) -> Tensor | None:
    """Return which weights were dropped, (B, T, H·S), or None when a row fits no pattern."""
    sums = torch.einsum("pk,btke->btpe", patterns, parts) * factor + bias
    gap = (noisy[..., None, :] - sums).abs().amax(-1)
    best = gap.min(-1)
    if bool((best.values > 1e-3 * (1 + noisy.abs().amax(-1))).any()):
        return None
    return 1 - patterns[best.indices]
