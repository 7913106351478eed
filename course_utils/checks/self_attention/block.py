"""Probing an encoder block whose names, layout and start values are free.

Only parameters as a whole, inputs and outputs are used. Three facts of a pre-norm block make that
possible. A norm forgets the size of what it reads, so for a very large x the block's own addition

    out(c x) - c x  ->  attention(norm1(x)) + ffn(norm2(x))        (c -> infinity)

settles. A query without keys silences attention up to a constant, which leaves the second branch
alone. And two inputs after which the sum ``x + attention`` is the same must give the same output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.probe import draw, run
from course_utils.checks.tensors import assert_slopes, options

__all__ = ["LARGE", "added_by", "build_block", "examine_block", "near", "no_keys", "restored"]

Answer = Callable[..., Any]
LARGE = 1e7  # beside which the parameters' numbers are nothing, in double precision
FORMULA = "x = x + drop(attention(norm1(x))), then x = x + drop(ffn(norm2(x)))"


def build_block(
    answer: Answer,
    d_model: int,
    num_heads: int,
    d_ff: int,
    dropout: float = 0.0,
    *,
    seed: int,
    dtype: torch.dtype = torch.float64,
    size: float = 1.0,
) -> nn.Module:
    """Build the block, count its parameters and draw them anew (start values are free)."""
    args, named = options(answer, **({"dropout": dropout} if dropout else {}))
    module = call(answer, d_model, num_heads, d_ff, *args, **named)
    require(isinstance(module, nn.Module), f"Expected an nn.Module, got {type(module).__name__}.")
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        call(module, torch.zeros(1, 2, d_model))
    count = sum(p.numel() for p in module.parameters())
    parts = {
        "attention": 4 * d_model**2,
        "feed-forward": 2 * d_model * d_ff,
        "two norms": 4 * d_model,
    }
    if count < sum(parts.values()):
        needs = ", ".join(f"{name} {number}" for name, number in parts.items())
        fail(
            f"With d_model={d_model}, d_ff={d_ff} it has {count} parameters; needed: {needs}.",
            "a part is missing or used twice (each norm has a gain and a shift of its own), or is "
            "no nn.Module or nn.Parameter, so that PyTorch does not find it",
        )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.copy_(noise * size * (d_model**-0.5 if p.dim() > 1 else 0.7))
    object.__setattr__(module, "_heads_expected", num_heads)
    return module.to(dtype).eval()


def near(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())


def no_keys(x: Tensor) -> Tensor:
    """The mask with which no query has a key, ``(1, 1, T, T)``."""
    return torch.zeros(1, 1, x.size(1), x.size(1), dtype=torch.bool)


def added_by(
    module: nn.Module, x: Tensor, mask: Tensor | None = None, size: float = LARGE
) -> Tensor:
    """What the block adds to a large multiple of x."""
    return run(module, size * x, mask)[0] - size * x


def examine_block(
    answer: Answer, d_model: int, num_heads: int, d_ff: int, *, seed: int, length: int = 5
) -> None:
    """Check the order of norms, branches and sums, masks, and gradients."""
    module = build_block(answer, d_model, num_heads, d_ff, seed=seed)
    x = draw(2, length, d_model, seed=seed + 1)
    mask = torch.ones(2, 1, 1, length, dtype=torch.bool)
    mask[0, ..., -1] = False
    with torch.no_grad():
        _examine_rows(module, x)
        _examine_masks(module, x, mask)
        _examine_first_norm(module, x)
        _examine_sums(module, x)
        _examine_order(module, x, mask)
        _examine_silence(module, x)
        _examine_signs(module, x)
    _examine_gradients(module, x, mask)
    for dtype in (torch.float32, torch.float64):  # run() compares shapes and dtypes
        same = build_block(answer, d_model, num_heads, d_ff, seed=seed, dtype=dtype)
        with torch.no_grad():
            run(same, x.to(dtype), mask)


def _examine_rows(module: nn.Module, x: Tensor) -> None:
    out, weights = run(module, x)
    require(
        bool(torch.isfinite(out).all() and torch.isfinite(weights).all()),
        "out or weights are not finite (NaN or infinity), without any mask.",
    )
    require(
        near(weights.sum(-1), torch.ones_like(weights[..., 0])),
        f"Each row of weights must sum to 1, the first sums to {weights[0, 0, 0].sum():.4g}.",
        "return the weights that your attention returns, as they are",
    )
    require(
        bool((weights[..., 0, -1] > 0).all()),
        "Without a mask the first query has weight 0 on the last key.",
        "a causal mask is applied though none was given",
    )
    alone = run(module, x[:1])[0]
    require(
        near(alone, out[:1]),
        "A note alone gives another result than the same note within a batch.",
        "a norm over the batch (BatchNorm), or dimensions that are mixed up: they are (B, T, D)",
    )


def _examine_first_norm(module: nn.Module, x: Tensor) -> None:
    """Attention reads norm1(x), so it cannot tell a token from a multiple of it."""
    factor = 2.0 ** torch.arange(3, 3 + x.size(1), dtype=x.dtype)[:, None]
    weights = run(module, 1e3 * x)[1]
    scaled, shifted = run(module, 1e3 * factor * x)[1], run(module, 1e3 * (x + factor))[1]
    if near(scaled, weights, 1e-3) and near(shifted, weights, 1e-3):
        require(
            near(run(module, x)[1], weights, 1e-3),
            "Attention does not read norm1(x): something is added to x before.",
            "the feed-forward part comes second, attention first: " + FORMULA,
        )
        return
    if near(scaled, weights, 1e-3):
        fail(
            "A constant added to all features of a token changes the attention weights.",
            "the norm must take the mean away: LayerNorm, not RMSNorm",
        )
    out = run(module, LARGE * x)[0]
    kept = _projection(out, LARGE * x)
    fail(
        "Tokens that are made larger change the attention weights; norm1 should hide their size.",
        "post-norm: the norms stand after the sums; pre-norm is " + FORMULA
        if abs(kept) < 0.5
        else "attention reads x without norm1, or through a norm that is not per token: " + FORMULA,
    )


def _projection(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / b.square().sum())


def _examine_sums(module: nn.Module, x: Tensor) -> None:
    """What is added to a very large x settles; otherwise a sum or the second norm is missing."""
    once, nobody = added_by(module, x), no_keys(x)
    if near(added_by(module, x, size=10 * LARGE), once, 1e-3):
        return
    out = run(module, LARGE * x)[0]
    kept = _projection(out, LARGE * x)
    if abs(kept) < 1e-3:
        moved = not near(run(module, LARGE * x, nobody)[0], out, 1e-3)
        which = "first" if moved else "second"
        fail(
            "A very large x does not come through to out.",
            f"the {which} residual is missing, or adds the normalised x: " + FORMULA,
        )
    along = (out - kept * LARGE * x).norm() / (LARGE * x).norm()
    if along < 1e-3:
        fail(
            f"A very large x comes out {kept:.3g} times as large; the sums keep it as it is.",
            "x is added once in each of the two sums: " + FORMULA,
        )
    fail(
        "What the block adds to x grows with the size of x; norm2 should hide it.",
        "the feed-forward part reads x without norm2: " + FORMULA,
    )


def _examine_order(module: nn.Module, x: Tensor, mask: Tensor) -> None:
    """The second branch reads the first sum: moving x by what attention adds changes nothing."""
    nobody = no_keys(x)
    shifted = added_by(module, x + 3.0, nobody)
    require(
        near(shifted, added_by(module, x, nobody), 1e-3),
        "A constant added to all features of a token changes what the second branch adds.",
        "norm2 must take the mean away, token by token: LayerNorm, not RMSNorm",
    )
    moved = added_by(module, x, mask) - added_by(module, x, nobody)
    if moved.abs().max() < 1e-3:
        fail(
            "What attention adds does not reach out through the second sum.",
            "the second sum starts from x instead of the first sum: " + FORMULA,
        )
    out, want = run(module, x, mask)[0], run(module, x + moved, nobody)[0]
    if near(out, want, 1e-3):
        return
    parallel = x + added_by(module, x, mask)
    fail(
        "The feed-forward branch must read the first sum, x + attention, and it does not.",
        "both branches read the same x, side by side: " + FORMULA
        if near(out, parallel, 1e-3)
        else "norm2 and ffn work on what came out of the first sum: " + FORMULA,
    )


def _examine_masks(module: nn.Module, x: Tensor, mask: Tensor) -> None:
    out, weights = run(module, x, mask)
    heads, length = weights.size(1), x.size(1)
    require(
        not bool(weights[~mask.expand_as(weights)].any())
        and bool((weights[0, ..., :-1] > 0).all()),
        "attn_mask says which keys may be attended to (True = may); the weights do not follow it.",
        "hand attn_mask on to the attention",
    )
    other = x.clone()
    other[0, -1] = 9 * draw(x.size(-1), seed=5)
    require(
        near(run(module, other, mask)[0][0, :-1], out[0, :-1]),
        "A token that nobody may attend to changes other tokens.",
        "apart from attention nothing may mix tokens: norms and ffn work on each token alone",
    )
    some = torch.rand(2, heads, length, length, generator=torch.Generator().manual_seed(6)) < 0.6
    some[0, 0, 0] = False
    for case in (some, some[:, :1], some[0, 0], some[1, 0, 0]):
        out, weights = run(module, x, case)
        wide = case.expand(2, heads, length, length)
        require(
            bool(torch.isfinite(out).all() and torch.isfinite(weights).all()),
            f"A query whose keys are all masked gives NaN (attn_mask {tuple(case.shape)}).",
            "your MultiHeadSelfAttention gives such a query weights zero",
        )
        require(
            not bool(weights[~wide].any())
            and near(weights.sum(-1), wide.any(-1).to(weights.dtype)),
            f"With attn_mask of shape {tuple(case.shape)} the weights are not those of the mask.",
            "hand attn_mask on as it is: it broadcasts to (B, H, T, T)",
        )


@contextmanager
def restored(module: nn.Module) -> Iterator[list[nn.Parameter]]:
    """The parameters, which get their numbers back at the end."""
    parameters = list(module.parameters())
    before = [p.detach().clone() for p in parameters]
    try:
        yield parameters
    finally:
        with torch.no_grad():
            for p, old in zip(parameters, before, strict=True):
                p.copy_(old)


def _examine_silence(module: nn.Module, x: Tensor) -> None:
    with restored(module) as parameters:
        for p in parameters:
            p.zero_()
        out = run(module, x)[0]
    require(
        near(out, x),
        "With all parameters zero both branches are silent, and the block must return x.",
        "something else stands on the path from x to out, a norm after the last sum?",
    )


def _examine_signs(module: nn.Module, x: Tensor) -> None:
    """With equal, positive parameters every norm, map and activation gives something positive."""
    nobody = no_keys(x)
    with restored(module) as parameters:
        for p in parameters:
            p.fill_(0.5)
        second = added_by(module, x, nobody)
        first = added_by(module, x) - second
    for name, added in (("attention", first), ("the feed-forward part", second)):
        require(
            bool((added > 0).all()),
            f"With all parameters positive {name} adds something positive; here it takes away.",
            "both sums are sums, x + drop(...): no minus",
        )


def _examine_gradients(module: nn.Module, x: Tensor, mask: Tensor) -> None:
    """Compare gradients with finite differences; count the parameters that learn."""
    x = x.clone().requires_grad_()
    none = mask.clone()
    none[1] = False
    result = run(module, x, none)
    hint = "`.detach()`, `.data` or `torch.no_grad()` on the way, or a part that is never used"
    for i, name in enumerate(("out", "weights")):
        slope = draw(*result[i].shape, seed=8)
        x.grad = None
        for p in module.parameters():
            p.grad = None
        require(result[i].requires_grad, f"No gradient flows through {name}.", hint)
        (result[i] * slope).sum().backward(retain_graph=True)
        found = [p.grad for p in module.parameters() if p.grad is not None]
        if x.grad is None or not all(bool(torch.isfinite(g).all()) for g in [x.grad, *found]):
            fail(
                "With a query whose keys are all masked the gradient is missing or not finite.",
                hint,
            )
        learning = sum(g.numel() for g in found if bool(g.abs().max() > 0))
        needed = (4 if name == "out" else 2) * x.size(-1) ** 2
        require(
            learning >= needed,
            f"A gradient of {name} reaches {learning} parameters; its maps have {needed}.",
            hint,
        )
    none[0] = True  # every key of the first note is seen
    learned = [p for p in module.parameters() if p.requires_grad]
    assert_slopes(lambda: run(module, x, none), ("out", "weights"), [x, *learned])
