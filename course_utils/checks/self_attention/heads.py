"""Probing a multi-head self-attention module whose names, layout and start values are free.

Only parameters as a whole, inputs and outputs are used. With random parameters and enough tokens,
least squares recovers, for each head, the two matrices that matter whatever the layout:

* ``score[t, s] = x[t] @ A @ x[s]`` (up to what the softmax cancels), ``A = W_q' W_k * scale``;
* ``out[t] = sum over heads of (weights[t] @ x) @ B + bias``, ``B = W_v' W_o``.

Their ranks, spaces and symmetry tell how heads are split and which maps are shared or missing.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.probe import TINY, Answer, build, draw, near, rank, run
from course_utils.checks.tensors import assert_slopes

__all__ = ["examine_heads", "value_matrices"]


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
        values = value_matrices(x, out, weights)
        _examine_split(scores, values, d_model, num_heads)
        _examine_scale(module, d_model, num_heads, seed + 2)
        _examine_alone(answer, module, x, out)
    _examine_gradients(module, d_model, seed + 3)


def _examine_rows(out: Tensor, weights: Tensor) -> None:
    require(
        bool(torch.isfinite(out).all() and torch.isfinite(weights).all()),
        "out or weights are not finite (NaN or infinity), without any mask.",
    )
    sums = weights.sum(-1)
    if not near(sums, torch.ones_like(sums)) or bool((weights < 0).any()):
        axis = {1: "the heads", 2: "the queries"}
        over = [
            words
            for dim, words in axis.items()
            if near(weights.sum(dim), torch.ones_like(weights.sum(dim)))
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
    if not (near(alone, out[:1]) and near(alone_weights, weights[:1])):
        fail(
            "A note alone gives another result than the same note within a batch.",
            "attention mixes the batch: dimensions are (B, T, D), and tokens attend within a note; "
            "between heads and tokens a transpose is needed, not only a view",
        )
    order = torch.arange(x.size(1)).roll(5).flip(0)
    moved, moved_weights = run(module, x[:, order])
    if not (near(moved, out[:, order]) and near(moved_weights, weights[:, :, order][..., order])):
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
    if not near(left @ found @ right.T, logs, 1e-3):
        fail(
            "The logarithms of the weights are no dot products of linear queries and keys.",
            "scores are query @ key^T, both linear maps of x, and nothing else",
        )
    return found[:, :-1]


def value_matrices(x: Tensor, out: Tensor, weights: Tensor) -> Tensor:
    """Return the matrices B ``(H, D, D)``, or fail when out is no linear map of weights @ x."""
    heads, d_model = weights.size(1), x.size(-1)
    mixed = (weights @ x[:, None]).transpose(1, 2).flatten(2)
    design = torch.cat([mixed, torch.ones_like(mixed[..., :1])], -1).flatten(0, 1)
    target = out.flatten(0, 1)
    found = torch.linalg.pinv(design) @ target
    if not near(design @ found, target, 1e-3):
        wider = torch.cat([design, x.flatten(0, 1)], 1)
        if near(wider @ (torch.linalg.pinv(wider) @ target), target, 1e-3):
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
        if rank(a) != width or rank(b) != width:
            fail(
                f"{seen}its scores have rank {rank(a)} and its values {rank(b)}, "
                f"expected d_model/num_heads = {width}.",
                "each head works on its own d_model/num_heads features of query, key and value",
            )
        if near(a, a.T, 1e-3):
            fail(seen + "its scores are symmetric.", f"query and key share one map; {own}")
        query, _, key = torch.linalg.svd(a)
        source = torch.linalg.svd(b)[0][:, :width]
        for name, space in (("query", query[:, :width]), ("key", key[:width].T)):
            if 2 * width <= d_model and rank(torch.cat([space, source], 1)) < 2 * width:
                fail(
                    seen + f"values and {name} read the same features of x.",
                    f"value and {name} share one map; {own}",
                )
    for g, h in itertools.combinations(range(num_heads), 2):
        if near(scores[g], scores[h], 1e-3):
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


def _examine_alone(answer: Answer, module: nn.Module, x: Tensor, out: Tensor) -> None:
    """Build and run a second module of other sizes: the first must not hear of it."""
    d_model = x.size(-1)
    run(build(answer, 2 * d_model, 2, seed=1), draw(1, 3, 2 * d_model, seed=2))
    again = run(module, x)[0]
    require(
        near(again, out),
        "After a second module of another size was made and run, the first gives other results.",
        "something is kept on the class or in a global name: keep it on `self`",
    )


def _examine_gradients(module: nn.Module, d_model: int, seed: int) -> None:
    """Compare gradients with finite differences; count the parameters that learn."""
    x = draw(2, 5, d_model, seed=seed)
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool).tril(1)
    mask[1, :, 2] = False
    x.requires_grad_()
    result = run(module, x, mask)
    require(
        not bool(torch.isnan(result[0]).any()),
        "A query whose keys are all masked gives NaN.",
        "a softmax over a row of minus infinity is 0/0; make its weights zero",
    )
    for i, name in enumerate(("out", "weights")):
        slope = draw(*result[i].shape, seed=seed + 2)
        _examine_slope(module, name, (result[i] * slope).sum(), x, d_model)
    learned = [p for p in module.parameters() if p.requires_grad]
    assert_slopes(lambda: run(module, x, mask), ("out", "weights"), [x, *learned])


def _examine_slope(module: nn.Module, name: str, loss: Tensor, x: Tensor, d_model: int) -> None:
    hint = "`.detach()` or `.data` on the way, or a map that is never used"
    require(loss.requires_grad, f"No gradient flows through {name}.", hint)
    x.grad = None
    for p in module.parameters():
        p.grad = None
    loss.backward(retain_graph=True)
    found = [p.grad for p in module.parameters() if p.grad is not None]
    require(x.grad is not None, f"No gradient of {name} reaches x.", hint)
    if not all(bool(torch.isfinite(g).all()) for g in [x.grad, *found]):
        fail(
            f"With a query whose keys are all masked the gradient of {name} is not finite.",
            "NaN that is repaired after the softmax is still there in the backward pass",
        )
    learning = sum(g.numel() for g in found if bool(g.abs().max() > 0))
    maps = 4 if name == "out" else 2
    require(
        learning >= maps * d_model**2,
        f"A gradient of {name} reaches {learning} parameters; {maps} maps have "
        f"{maps * d_model**2}.",
        hint + (" (the output map?)" if maps == 4 else ""),
    )
