"""What the checks of notebook 03 ask of attention between modalities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.multimodal_fusion_ecg.fusion import build
from course_utils.checks.multimodal_fusion_ecg.losses import finite, leaf
from course_utils.checks.tensors import assert_slopes, draw


def _attend(module: nn.Module, *args: Any, heads: int) -> tuple[Tensor, Tensor]:
    got = call(module, *args)
    if not isinstance(got, tuple | list) or len(got) != 2:
        fail(f"Expected (out, weights), got {type(got).__name__}.")
    query, context = args[0], args[1]
    shape = (query.shape[0], heads, query.shape[1], context.shape[1])
    for name, value, want in (("out", got[0], tuple(query.shape)), ("weights", got[1], shape)):
        if not isinstance(value, Tensor) or tuple(value.shape) != want:
            seen = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            averaged = name == "weights" and seen == (shape[0], *shape[2:])
            fail(
                f"Expected {name} of shape {want}, got {seen}.",
                "the heads were averaged: keep (B, H, T, S)" if averaged else None,
            )
        require(value.dtype == query.dtype, f"Expected {name} of {query.dtype}, got {value.dtype}.")
    return got[0], got[1]


def assert_cross_attention(
    answer: Any,
    *,
    width: int,
    heads: int,
    batch: int,
    queries: int,
    keys: int,
    seed: int,
    dtype: torch.dtype,
) -> None:
    """Everything that is asked of cross-attention, for one size; the layout is free."""
    module = build(answer, width, heads, dtype=dtype, seed=seed).eval()
    sizes = sum(p.numel() for p in module.parameters() if p.dim() >= 2)
    require(
        sizes >= 4 * width * width,
        f"The maps hold {sizes} weights; query, key, value and output "
        f"need {4 * width * width} at d_model = {width}.",
        "one map is used twice or missing",
    )
    query = draw(batch, queries, width, dtype=dtype, seed=seed + 1)
    context = 1.5 * draw(batch, keys, width, dtype=dtype, seed=seed + 2)
    rtol, atol = (1e-4, 2e-5) if dtype == torch.float32 else (1e-7, 1e-9)
    close: dict[str, Any] = {"rtol": rtol, "atol": atol}
    out, weights = _attend(module, query, context, heads=heads)
    same(
        weights.sum(-1),
        torch.ones_like(weights[..., 0]),
        "the sum of each row of weights",
        mistakes=_sums(weights),
        **close,
    )
    require(
        bool((weights >= 0).all()),
        "Some weights are negative.",
        "a softmax over the scores gives none",
    )
    require(
        bool((weights.detach().std(-1) > 1e-6).any()) or keys == 1,
        "Every context token gets the same weight.",
        "the scores are lost: a softmax of query times key, with True = may be attended",
    )
    if heads > 1 and keys > 1:
        require(
            bool((weights[:, 0] - weights[:, 1]).abs().max() > 10 * atol),
            "All heads have the same weights.",
            "split d_model into heads, each with its own part",
        )
    full = torch.ones(batch, keys, dtype=torch.bool)
    unmasked = _attend(module, query, context, full, heads=heads)[0]
    require(
        finite(unmasked),
        "With context_available all True, out is not finite.",
        "True = may be attended; `key_padding_mask` of nn.MultiheadAttention is the opposite",
    )
    same(unmasked, out, "out with context_available all True (as with None)", **close)
    order = torch.arange(keys).flip(0)
    flipped = _attend(module, query, context[:, order], heads=heads)
    places = "the place of a context token does not matter here: no causal mask, no positions"
    same(
        flipped[0],
        out,
        "out after turning round the order of the context",
        mistakes={places: flipped[0]},
        **close,
    )
    same(flipped[1], weights[..., order], "weights after turning round the context", **close)
    module.train()
    trained = _attend(module, query, context, heads=heads)[0]
    same(
        trained,
        out,
        "out in training mode (no dropout)",
        mistakes={"no dropout is asked for here": trained},
        **close,
    )
    module.eval()
    _assert_plain(module, query, context, heads, close)
    _assert_known_maps(module, width, heads, batch, queries, keys, seed, dtype)
    _assert_context_mask(answer, module, query, context, heads, close)
    _assert_far_scores(module, query, context, heads)


def _assert_far_scores(module: nn.Module, query: Tensor, context: Tensor, heads: int) -> None:
    """Scores that lie far apart leave the weight to one token."""
    largest = _attend(module, 1e3 * query, 300 * context, heads=heads)[1].amax(-1)
    require(
        float((largest > 0.99).double().mean()) > 0.8,
        "Scores that lie thousands apart share the weight.",
        "nothing clips or squeezes the scores before the softmax",
    )


def _sums(weights: Tensor) -> dict[str, Tensor]:
    """What rows of weights add up to when they do not add up to one, and why."""
    total, count = weights.sum(-1), weights.shape[-1]
    over_queries = weights.sum(-2, keepdim=True)
    if torch.allclose(over_queries, torch.ones_like(over_queries), atol=1e-4):
        return {"the softmax runs over the queries; it belongs over the context, dim=-1": total}
    one = torch.ones_like(total)
    return {
        "context_available=None means that all may be attended, and True = may be attended": 0
        * one,
        "the weights are divided by the number of context tokens": one / count,
        "a softmax over the context makes each row sum to one; no sigmoid": total,
    }


def _assert_plain(
    module: nn.Module, query: Tensor, context: Tensor, heads: int, close: Mapping[str, Any]
) -> None:
    """With one context token the query cannot matter, and out is affine in the context."""
    a, b = context[:, :1], query[:, :1] * 0.7 + 0.2
    first = _attend(module, query, a, heads=heads)[0]
    other = _attend(module, query.flip(1) * 2.0 + 1.0, a, heads=heads)[0]
    same(
        other,
        first,
        "out with a single context token, for other queries",
        mistakes={"the query reaches out past the attention: no residual here": other},
        **close,
    )
    second, zero = (_attend(module, query, v, heads=heads)[0] for v in (b, torch.zeros_like(a)))
    both = _attend(module, query, a + b, heads=heads)[0]
    gap = float((both - first - second + zero).abs().max())
    require(
        gap < 100 * close["atol"] * max(1.0, float(both.abs().max())),
        f"With one context token, out is not linear in it (gap {gap:.2g}).",
        "no residual, no normalisation, no non-linearity here",
    )


def _assert_known_maps(
    module: nn.Module,
    width: int,
    heads: int,
    batch: int,
    queries: int,
    keys: int,
    seed: int,
    dtype: torch.dtype,
) -> None:
    """Set every map to the mean over the features: then vectors a·1 and b·1 give known weights."""
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    if any(p.dim() >= 2 and p.numel() % (width * (width // heads)) for p in module.parameters()):
        return  # a layout that we do not know
    with torch.no_grad():
        for p in module.parameters():
            p.fill_(1.0 / width if p.dim() >= 2 else 0.0)
    a = draw(batch, queries, 1, dtype=dtype, seed=seed + 3)
    b = draw(batch, keys, 1, dtype=dtype, seed=seed + 4)
    per_head = width // heads

    def weights_at(factor: float) -> Tensor:
        one = torch.softmax(factor * a * b.transpose(1, 2), dim=-1)  # (B, T, S)
        return one[:, None].expand(batch, heads, queries, keys)

    want = weights_at(per_head / math.sqrt(per_head))
    query, context = a.expand(-1, -1, width), b.expand(-1, -1, width)
    out, weights = _attend(module, query.contiguous(), context.contiguous(), heads=heads)
    mistakes = {
        "scores are divided by sqrt(d_model); the width of one head counts": weights_at(
            per_head / math.sqrt(width)
        ),
        "the scores are not divided by sqrt(d_model / num_heads)": weights_at(per_head),
        "scores are divided by the width itself, not by its root": weights_at(1.0),
        "scores are divided by sqrt(num_heads)": weights_at(per_head / math.sqrt(heads)),
    }
    same(
        weights,
        want,
        "the weights for maps that are known",
        mistakes=mistakes,
        rtol=1e-4,
        atol=1e-5,
    )
    attended = (want[:, 0] @ b).expand(-1, -1, width)
    same(
        out,
        attended.contiguous(),
        "out for maps that are known",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "a residual: the query was added to the output": attended + query,
            "the context's mean was taken instead of its weighted mean": b.mean(
                1, keepdim=True
            ).expand(batch, queries, width),
        },
    )
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(kept[name])


def _assert_context_mask(
    answer: Any,
    module: nn.Module,
    query: Tensor,
    context: Tensor,
    heads: int,
    close: Mapping[str, Any],
) -> None:
    batch, keys = context.shape[:2]
    there = torch.ones(batch, keys, dtype=torch.bool)
    there[:, -1] = keys == 1
    there[-1] = False
    out, weights = _attend(module, query, context, there, heads=heads)
    hidden = (~there)[:, None, None].expand_as(weights)
    require(
        finite(out) and finite(weights),
        "A patient without any context gives values that are not finite.",
        "a softmax over a row of -inf is 0/0: set those weights to zero",
    )
    require(
        not bool(weights[hidden].any()),
        "Context that is not available has weights above zero.",
        _why_hidden_weights(weights, there),
    )
    rows = there.any(-1)
    after = "masked after the softmax, the other weights no longer sum to one: mask before it"
    total = weights[rows].sum(-1)
    same(
        total,
        torch.ones_like(total),
        "the sum of the weights, with one token unavailable",
        mistakes={after: total},
        **close,
    )
    if batch > 1 and keys > 1:
        same(
            out[:-1],
            _attend(module, query[:-1], context[:-1, :-1], heads=heads)[0],
            "out with the last context token unavailable (as without it)",
            **close,
        )
    lonely = out[-1]
    same(lonely, lonely[:1].expand_as(lonely), "out without context, for every query", **close)
    far = _attend(module, query * 3 + 1, context * -2, there, heads=heads)[0]
    same(
        far[-1],
        lonely,
        "out without context, for other queries and values (the output map of zero)",
        **close,
    )
    _assert_lonely_value(module, lonely, query, context, heads, close)
    for value in (float("nan"), float("inf"), -1e30):
        holes = context.clone()
        holes[~there] = value
        got = _attend(module, query, holes, there, heads=heads)
        if not finite(got[0]) or not finite(got[1]):
            fail(
                f"Unavailable context holds {value}: the output is not finite.",
                "weight 0 times nan is nan: set unavailable context to zero before the maps",
            )
        same(got[0], out, f"out when unavailable context holds {value}", **close)
        same(got[1], weights, f"weights when unavailable context holds {value}", **close)
    _assert_attention_gradients(module, query, context, there, heads)


def _why_hidden_weights(weights: Tensor, there: Tensor) -> str:
    """Likely cause of weights at unavailable context."""
    some, gone = there.any(-1), ~there[:, None, None]
    if not bool(weights[some].masked_select(gone[some]).any()):
        return (
            "a patient without any context: after the softmax those weights are set to zero, by "
            "each patient's own mask"
        )
    if bool((weights[some].masked_select(gone[some]) < 0.01).all()):
        return "a fill of -10 or so leaves a rest: torch.finfo(dtype).min or -inf does not"
    return "True = may be attended: fill the scores with -inf where it is False, before the softmax"


def _assert_lonely_value(
    module: nn.Module,
    lonely: Tensor,
    query: Tensor,
    context: Tensor,
    heads: int,
    close: Mapping[str, Any],
) -> None:
    """The output map of zero: its bias. With every bias zeroed, nothing is left."""
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() < 2:
                p.zero_()
    nothing = torch.zeros(context.shape[:2], dtype=torch.bool)
    got = _attend(module, query, context, nothing, heads=heads)[0]
    same(got, torch.zeros_like(got), "out without context when every bias is zero", **close)
    with torch.no_grad():
        for i, (name, p) in enumerate(module.named_parameters()):
            p.copy_(kept[name] if p.dim() >= 2 else torch.full_like(p, 0.3 + 0.1 * i))
    biased = _attend(module, query, context, nothing, heads=heads)[0]
    biases = [p for p in module.parameters() if p.dim() == 1 and p.numel() == query.shape[-1]]
    if len(biases) == sum(p.dim() == 1 for p in module.parameters()) and biases:
        fits = [torch.allclose(biased, p.expand_as(biased), atol=1e-5) for p in biases]
        require(
            any(fits),
            "Without context out is not the output map of zero (its bias).",
            "zero the attended values, then apply the output map; do not let the value map's bias "
            "through",
        )
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(kept[name])


def _assert_attention_gradients(
    module: nn.Module, query: Tensor, context: Tensor, there: Tensor, heads: int
) -> None:
    query, holes = leaf(query), context.clone()
    holes[~there] = float("nan")
    holes.requires_grad_()
    module.zero_grad(set_to_none=True)
    out, _ = _attend(module, query, holes, there, heads=heads)
    require(out.requires_grad, "No gradient flows through out.")
    out.pow(2).sum().backward()
    grads = {"query_tokens": query.grad, "context_tokens": holes.grad}
    grads |= {f"parameter {name}": p.grad for name, p in module.named_parameters()}
    for name, grad in grads.items():
        require(
            finite(grad),
            f"The gradient of {name} is not finite when context is missing.",
            "set unavailable context to zero, and guard rows without any context, before the "
            "softmax",
        )
    if bool(there.any()):
        require(
            holes.grad is not None and bool((holes.grad != 0).any()),
            "No gradient reaches the context.",
            "it was detached, or passed through NumPy",
        )
    require(
        holes.grad is None or not bool(holes.grad[~there].any()),
        "Context that is not available has a gradient.",
        "set it to zero before the maps",
    )
    _assert_weights_learn(module, query, context, heads)
    if int(there.sum(-1).max()) > 1:
        require(
            query.grad is not None and bool((query.grad != 0).any()),
            "No gradient reaches the query.",
        )
    module.zero_grad(set_to_none=True)


def _assert_weights_learn(module: nn.Module, query: Tensor, context: Tensor, heads: int) -> None:
    """A loss on the weights reaches the query and the context, and gradients are slopes."""
    if context.shape[1] < 2:
        return
    query, context = leaf(query.detach()), leaf(context)
    weights = _attend(module, query, context, heads=heads)[1]
    hint = "the weights were detached; a loss may need them, as in notebook 02"
    require(weights.requires_grad, "No gradient flows through the weights.", hint)
    grads = torch.autograd.grad(weights.pow(2).sum(), [query, context], allow_unused=True)
    for name, grad in zip(("query_tokens", "context_tokens"), grads, strict=True):
        learns = grad is not None and bool((grad != 0).any())
        require(learns, f"No gradient of the weights reaches {name}.", hint)
    if query.dtype == torch.float64:
        learned = [p for p in module.parameters() if p.requires_grad]
        there = torch.ones(context.shape[:2], dtype=torch.bool)
        there[1:, 0] = False
        there[2:] = False
        assert_slopes(
            lambda: _attend(module, query, context, there, heads=heads),
            ("out", "the weights"),
            [query, context, *learned],
        )


def assert_divides(answer: Any, width: int, heads: int) -> None:
    """A width that the heads do not divide raises a ValueError that names both numbers."""
    try:
        answer(width, heads)
    except ValueError as error:
        if str(width) not in str(error) or str(heads) not in str(error):
            fail(f"The ValueError says '{error}'.", f"name both numbers, {width} and {heads}")
    except NotImplementedError:
        call(answer, width, heads)
    except Exception as error:
        fail(
            f"d_model={width}, num_heads={heads} raises {type(error).__name__}.",
            "raise ValueError when heads do not divide",
        )
    else:
        fail(
            f"d_model={width} with num_heads={heads} is accepted.",
            "raise ValueError naming both numbers when heads do not divide",
        )
