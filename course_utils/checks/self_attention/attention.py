"""Probing a multi-head self-attention module whose names, layout and start values are free.

Only parameters as a whole, inputs and outputs are used. With random parameters and enough tokens,
least squares recovers, for each head, the two matrices that matter whatever the layout:

* ``score[t, s] = x[t] @ A @ x[s]`` (up to what the softmax cancels), ``A = W_q' W_k * scale``;
* ``out[t] = sum over heads of (weights[t] @ x) @ B + bias``, ``B = W_v' W_o``.

Their ranks, spaces and symmetry tell how heads are split and which maps are shared or missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.tensors import draw as _draw
from course_utils.checks.tensors import options

__all__ = ["build", "examine_dropout", "examine_heads", "examine_mask", "examine_masks", "run"]

Answer = Callable[..., Any]
TINY = 1e-4
WEIGHTS_RULE = "the attention weights, after the softmax and before they meet the values"


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


def _near(a: Tensor, b: Tensor, tolerance: float = TINY) -> bool:
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())


def _rank(matrix: Tensor) -> int:
    values = torch.linalg.svdvals(matrix)
    return int((values > TINY * values[0]).sum())


def examine_heads(answer: Answer, d_model: int, num_heads: int, *, seed: int) -> None:
    """Check the four maps, the split into heads, the scale and the gradients (needs 3 heads)."""
    module = build(answer, d_model, num_heads, seed=seed)
    length = 2 * d_model + 6
    x = draw(3, length, d_model, seed=seed + 1)
    with torch.no_grad():
        out, weights = run(module, x)
        _examine_rows(out, weights)
        _examine_mixing(module, x, out, weights)
        scores = _score_matrices(x[0], weights[0])
        values = _value_matrices(x, out, weights)
        _examine_split(scores, values, d_model, num_heads)
        _examine_scale(module, d_model, num_heads, seed + 2)
    _examine_gradients(module, d_model, seed + 3)


def _examine_rows(out: Tensor, weights: Tensor) -> None:
    require(
        bool(torch.isfinite(out).all() and torch.isfinite(weights).all()),
        "out or weights are not finite (NaN or infinity), without any mask.",
    )
    sums = weights.sum(-1)
    if not _near(sums, torch.ones_like(sums)) or bool((weights < 0).any()):
        axis = {1: "the heads", 2: "the queries"}
        over = [
            words
            for dim, words in axis.items()
            if _near(weights.sum(dim), torch.ones_like(weights.sum(dim)))
        ]
        fail(
            f"Each row of weights must sum to 1, the first sums to {sums[0, 0, 0]:.4g}.",
            f"the softmax runs over {over[0]}; it belongs over the keys, dim=-1"
            if over
            else "the softmax belongs over the keys, dim=-1",
        )
    require(
        bool((weights[..., 0, -1] > 0).all()),
        "Without a mask the first query has weight 0 on the last key.",
        "a causal mask is applied though none was given",
    )


def _examine_mixing(module: nn.Module, x: Tensor, out: Tensor, weights: Tensor) -> None:
    alone, alone_weights = run(module, x[:1])
    if not (_near(alone, out[:1]) and _near(alone_weights, weights[:1])):
        fail(
            "A note alone gives another result than the same note within a batch.",
            "attention mixes the batch: dimensions are (B, T, D), and tokens attend within a note; "
            "between heads and tokens a transpose is needed, not only a view",
        )
    order = torch.arange(x.size(1)).roll(5).flip(0)
    moved, moved_weights = run(module, x[:, order])
    if not (_near(moved, out[:, order]) and _near(moved_weights, weights[:, :, order][..., order])):
        fail(
            "Reordering the tokens must reorder the outputs in the same way; here it changes them.",
            "`view` cannot swap dimensions: (B, T, D) -> view (B, T, H, d_head) -> "
            "transpose(1, 2); and the same way back before the heads are merged",
        )


def _score_matrices(x: Tensor, weights: Tensor) -> Tensor:
    """Return the matrices A ``(H, D, D)`` of one note, or fail when scores are not bilinear."""
    logs = weights.clamp(min=1e-37).log()
    logs = logs - logs.mean(-1, keepdim=True)
    left = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    right = x - x.mean(0)
    found = torch.linalg.pinv(left) @ logs @ torch.linalg.pinv(right).T
    if not _near(left @ found @ right.T, logs, 1e-3):
        fail(
            "The logarithms of the weights are no dot products of linear queries and keys.",
            "scores are query @ key^T, both linear maps of x, and nothing else",
        )
    return found[:, :-1]


def _value_matrices(x: Tensor, out: Tensor, weights: Tensor) -> Tensor:
    """Return the matrices B ``(H, D, D)``, or fail when out is no linear map of weights @ x."""
    heads, d_model = weights.size(1), x.size(-1)
    mixed = (weights @ x[:, None]).transpose(1, 2).flatten(2)
    design = torch.cat([mixed, torch.ones_like(mixed[..., :1])], -1).flatten(0, 1)
    target = out.flatten(0, 1)
    found = torch.linalg.pinv(design) @ target
    if not _near(design @ found, target, 1e-3):
        wider = torch.cat([design, x.flatten(0, 1)], 1)
        if _near(wider @ (torch.linalg.pinv(wider) @ target), target, 1e-3):
            hint = "a residual: the input is added to the output; that is the encoder block's task"
        else:
            hint = (
                "only linear maps stand around the weights: no norm, no activation; merging the "
                "heads takes transpose(1, 2) before the reshape"
            )
        fail("out is not a linear map of the values averaged with the returned weights.", hint)
    return found[:-1].unflatten(0, (heads, d_model))


def _silent(matrix: Tensor, dim: int) -> bool:
    """Tell whether some rows (dim 1) or columns (dim 0) of a matrix are nothing at all."""
    norms = matrix.norm(dim=dim)
    return bool((norms < TINY * norms.max()).any())


def _examine_split(scores: Tensor, values: Tensor, d_model: int, num_heads: int) -> None:
    width = d_model // num_heads
    own = "every map has weights of its own"
    for h in range(num_heads):
        a, b = scores[h], values[h]
        seen = f"Head {h} of {num_heads}: "
        if _silent(a, 0) or _silent(a, 1):
            fail(
                seen + "its scores ignore some features of x.",
                "a head reads all d_model features through its maps, not its slice of x alone",
            )
        if _silent(b, 1):
            fail(
                seen + "its values ignore some features of x.",
                "the value map is missing: the values are a slice of x itself",
            )
        if _silent(b, 0):
            fail(
                seen + "some features of out never hear of it.",
                "the output map after merging the heads is missing or unused",
            )
        if _rank(a) != width or _rank(b) != width:
            fail(
                f"{seen}its scores have rank {_rank(a)} and its values {_rank(b)}, "
                f"expected d_model/num_heads = {width}.",
                "each head works on its own d_model/num_heads features of query, key and value",
            )
        if _near(a, a.T, 1e-3):
            fail(seen + "its scores are symmetric.", f"query and key share one map; {own}")
        query, _, key = torch.linalg.svd(a)
        source = torch.linalg.svd(b)[0][:, :width]
        for name, space in (("query", query[:, :width]), ("key", key[:width].T)):
            if 2 * width <= d_model and _rank(torch.cat([space, source], 1)) < 2 * width:
                fail(
                    seen + f"values and {name} read the same features of x.",
                    f"value and {name} share one map; {own}",
                )
    for g, h in itertools.combinations(range(num_heads), 2):
        if _near(scores[g], scores[h], 1e-3):
            fail(f"Heads {g} and {h} have the same scores.", "every head has weights of its own")


def _examine_scale(module: nn.Module, d_model: int, num_heads: int, seed: int) -> None:
    """Set all parameters to one number: then scores are known whatever the layout."""
    width, level = d_model // num_heads, 0.2
    before = [p.detach().clone() for p in module.parameters()]
    for p in module.parameters():
        p.fill_(level)
    x = 0.5 * draw(1, 7, d_model, seed=seed)
    logs = run(module, x)[1][0, 0].clamp(min=1e-37).log()
    for p, old in zip(module.parameters(), before, strict=True):
        p.copy_(old)
    logs = logs - logs.mean(0) - logs.mean(1, keepdim=True) + logs.mean()
    total = x[0].sum(-1) - x[0].sum(-1).mean()
    product = width * level**2 * torch.outer(total, total)
    seen = float((logs * product).sum() / product.square().sum())
    want = width**-0.5
    if abs(seen - want) < 1e-3 * want:
        return
    names = {
        1.0: "the scores are not scaled",
        d_model**-0.5: "this is 1/sqrt(d_model); the width of a head counts",
        1 / width: "divided by the width of a head, without the square root (sqrt)",
        num_heads**-0.5: "this scale is the root of the number of heads",
        7**-0.5: "this scale is the root of the number of tokens",
        width**0.5: "multiplied by the square root (sqrt) in place of divided",
        1 / width**1.5: "scaled twice",
    }
    hint = next((w for v, w in names.items() if abs(seen - v) < 1e-3 * v), None)
    fail(
        f"The scores q·k are multiplied by {seen:.4g} with d_model={d_model}, "
        f"num_heads={num_heads};\nthe scale is 1/sqrt(d_model / num_heads) = {want:.4g}.",
        hint,
    )


def _examine_gradients(module: nn.Module, d_model: int, seed: int) -> None:
    """Compare the slope along x with a finite difference; count the parameters that learn."""
    x, way = draw(2, 5, d_model, seed=seed), draw(2, 5, d_model, seed=seed + 1)
    slope = draw(2, 5, d_model, seed=seed + 2)
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool).tril(1)
    mask[1, :, 2] = False
    x.requires_grad_()
    for p in module.parameters():
        p.grad = None
    out = run(module, x, mask)[0]
    require(
        not bool(torch.isnan(out).any()),
        "A query whose keys are all masked gives NaN.",
        "a softmax over a row of minus infinity is 0/0; make its weights zero",
    )
    result = (out * slope).sum()
    hint = "`.detach()` or `.data` on the way, or a map that is never used"
    require(result.requires_grad, "No gradient flows through out.", hint)
    result.backward()
    found = [p.grad for p in module.parameters() if p.grad is not None]
    if x.grad is None or not all(bool(torch.isfinite(g).all()) for g in [x.grad, *found]):
        fail(
            "With a query whose keys are all masked the gradient is missing or not finite.",
            "NaN that is repaired after the softmax is still there in the backward pass",
        )
    learning = sum(g.numel() for g in found if bool(g.abs().max() > 0))
    require(
        learning >= 4 * d_model**2,
        f"A gradient reaches {learning} parameters; the four maps have {4 * d_model**2}.",
        hint + " (the output map?)",
    )
    with torch.no_grad():
        step = 1e-4
        up, down = (run(module, x.detach() + s * way, mask)[0] for s in (step, -step))
        want = float(((up - down) * slope).sum() / (2 * step))
    got = float((x.grad * way).sum())
    require(
        abs(got - want) <= 1e-2 * max(1.0, abs(want)),
        f"The gradient of out along x is {got:.4g}; differences say {want:.4g}.",
        "part of the gradient is cut off: `.detach()` on query, key, value or weights",
    )


def examine_masks(answer: Answer, d_model: int, num_heads: int, *, seed: int) -> None:
    """Check masks of every broadcastable shape, padding, and queries without keys."""
    module = build(answer, d_model, num_heads, seed=seed)
    batch, length = 4, 3 * d_model
    x = draw(batch, length, d_model, seed=seed + 1)
    generator = torch.Generator().manual_seed(seed + 2)
    keep = torch.rand(batch, 1, 1, length, generator=generator) < 0.6
    keep[..., 0] = True
    causal = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    examine_mask(module, x, keep)
    examine_mask(module, x, causal)
    examine_mask(module, x, keep & causal)
    full = torch.rand(batch, num_heads, length, length, generator=generator) < 0.7
    full &= torch.rand(batch, num_heads, length, 1, generator=generator) < 0.7
    full[:, :, 1::9] = False
    out, weights = examine_mask(module, x, full)
    _examine_keyless(x, full, out, weights)
    _examine_padding(module, x, keep)


def examine_mask(module: nn.Module, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Check masked weights: those of the call without a mask, renormalised over what is left."""
    with torch.no_grad():
        free = run(module, x)[1]
        out, weights = run(module, x, mask)
    keep = mask.expand_as(free)
    left = free * keep
    want = left / left.sum(-1, keepdim=True).clamp(min=1e-37)
    dead = ~keep.any(-1)
    if dead.any():
        seen = weights[dead]
        if torch.isnan(seen).any() or torch.isnan(out).any():
            fail(
                "A query whose keys are all masked gives NaN.",
                "a softmax over a row of minus infinity is 0/0; make its weights zero",
            )
        if not bool((seen == 0).all()):
            fail(
                "A query whose keys are all masked needs weights of zero, got "
                f"{seen.flatten()[0]:.4g}, ….",
                "-1e9 in place of minus infinity leaves even weights over masked keys",
            )
    other = free * ~keep
    swapped = other / other.sum(-1, keepdim=True).clamp(min=1e-37)
    same(
        weights,
        want,
        f"the weights (attn_mask {tuple(mask.shape)}, True = may attend)",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "the mask is not used": free,
            "the mask is read the other way round: True = may attend": swapped,
            "the mask multiplies the weights after the softmax": left,
        },
    )
    return out, weights


def _examine_keyless(x: Tensor, keep: Tensor, out: Tensor, weights: Tensor) -> None:
    """Find the output map's bias from partly masked heads, then look at queries without keys."""
    alive = keep.any(-1).transpose(1, 2).to(x.dtype)  # (B, T, H)
    mixed = (weights @ x[:, None]).transpose(1, 2).flatten(2)
    design = torch.cat([mixed, alive, torch.ones_like(alive[..., :1])], -1).flatten(0, 1)
    target, dead = out.flatten(0, 1), (alive.sum(-1) == 0).flatten()
    found = torch.linalg.pinv(design[~dead]) @ target[~dead]
    if not _near(design[~dead] @ found, target[~dead], 1e-3):
        fail(
            "With one head masked, out is not the output map of the others' contexts.",
            "a head without keys has context zero before the output map; no other change to out",
        )
    bias = found[-1]
    if not _near(target[dead], bias.expand_as(target[dead]), 1e-3):
        zero = _near(target[dead], torch.zeros_like(target[dead]))
        fail(
            "For a query without keys, out must be the output map of zero (its bias).",
            "out itself is set to zero: the context is zero *before* the output map"
            if zero
            else "the context of such a query is not zero",
        )


def _examine_padding(module: nn.Module, x: Tensor, keep: Tensor) -> None:
    """Check that the content of masked positions has no influence, and that they still answer."""
    other = torch.where(keep[:, 0, 0, :, None], x, draw(*x.shape, seed=99))
    with torch.no_grad():
        one, two = run(module, x, keep)[0], run(module, other, keep)[0]
        cut = run(module, x[:, :1])[0]
        only = torch.zeros_like(keep)
        only[..., 0] = True
        shown = run(module, x, only)[0]
    real = keep[:, 0, 0]
    require(
        _near(one[real], two[real]),
        "Other numbers at masked positions change the outputs of real tokens.",
        "the mask must reach every head and every key",
    )
    if not _near(shown, cut.expand_as(shown)):
        fail(
            "When all may attend to the first token alone, all outputs are that token's output.",
            "the outputs at masked positions are set to something else; masked positions are not "
            "attended to, but as queries they still answer",
        )


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
        if not _near(run(module, x)[0], out):
            fail(
                "In evaluation mode two calls differ.",
                "dropout acts in eval mode: F.dropout needs training=self.training",
            )
        values = _value_matrices(x, out, weights)
        parts = torch.einsum("bhts,bsd,hde->bthse", weights, x, values)
        bias, shared = _biases(module, x, parts.sum(3))
        parts = (parts + torch.einsum("bhts,he->bthse", weights, shared)).flatten(2, 3)
        noisy, returned = run(module.train(), x)
        if not _near(returned, weights):
            fail(
                "In training mode the returned weights differ from those of evaluation mode.",
                "return the weights before dropout (and drop weights, not scores or inputs)",
            )
        if _near(noisy, out):
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
        if abs(dropped - rate) > 0.08:
            fail(
                f"With dropout={rate:g} a share of {dropped:.2g} of the weights is dropped.",
                "dropout's argument is the share that is dropped, not the share that is kept",
            )
        calm = build(answer, d_model, num_heads, seed=seed).train()
        require(
            _near(run(calm, x[:2])[0], run(calm.eval(), x[:2])[0]),
            "With dropout=0.0 training mode changes the output.",
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
) -> float | None:
    """Return the share of dropped weights, or None when a row fits no pattern."""
    sums = torch.einsum("pk,btke->btpe", patterns, parts) * factor + bias
    gap = (noisy[..., None, :] - sums).abs().amax(-1)
    best = gap.min(-1)
    if bool((best.values > 1e-3 * (1 + noisy.abs().amax(-1))).any()):
        return None
    return 1 - float(patterns[best.indices].mean())
