"""Properties that any attention pooling with a learned query has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.tensors import assert_slopes


def build(answer: type, d_model: int, num_heads: int, seed: int, dtype: torch.dtype) -> nn.Module:
    """Make a module and move its parameters away from any special initialisation."""
    module = call(answer, d_model, num_heads)
    require(isinstance(module, nn.Module), f"Expected an nn.Module, got {type(module).__name__}.")
    module = module.to(dtype)
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.5 * torch.randn(p.shape, generator=g, dtype=torch.float64).to(p.dtype))
    return module.eval()


def pooled_of(module: nn.Module, x: torch.Tensor, is_event: torch.Tensor, heads: int) -> tuple:
    """Call the module; pooled and weights, their shapes and dtypes looked at."""
    result = call(module, x, is_event)
    require(
        isinstance(result, tuple | list) and len(result) == 2,
        f"Expected (pooled, weights), got {type(result).__name__}.",
        "is there a `return`?" if result is None else None,
    )
    pooled, weights = result
    b, t, d = x.shape
    for name, value, shape in (("pooled", pooled, (b, d)), ("weights", weights, (b, heads, t))):
        require(torch.is_tensor(value), f"Expected {name} as a tensor, got {type(value).__name__}.")
        hint = None
        if name == "weights" and value.shape == (b, 1, t):
            hint = "nn.MultiheadAttention averages heads: average_attn_weights=False"
        if name == "weights" and value.shape == (b, heads, 1, t):
            hint = "there is one query: drop its dimension"
        if name == "pooled" and value.shape == (b, heads, t):
            hint = "the two are exchanged: pooled comes first"
        require(
            value.shape == shape,
            f"Expected {name} with shape {shape}, got {tuple(value.shape)}.",
            hint,
        )
        require(
            value.dtype == x.dtype,
            f"Expected {name} as {x.dtype}, got {value.dtype}.",
            "a conversion (`.float()`, `.double()`) or a new tensor without the dtype of x",
        )
    return pooled, weights


def pooling_checks(
    answer: type, seed: int, d_model: int, num_heads: int, shape: tuple[int, int]
) -> None:
    """All properties, in single and double precision."""
    for dtype in (torch.float32, torch.float64):
        g = torch.Generator().manual_seed(seed + 7)
        b, t = shape
        x = torch.randn(b, t, d_model, generator=g, dtype=torch.float64).to(dtype)
        real = torch.rand(b, t, generator=g) < 0.6
        real[0], real[-1, 0] = True, True
        if b > 2:
            real[1] = False  # a stay without events
        module = build(answer, d_model, num_heads, seed, dtype)
        pooled, weights = pooled_of(module, x, real, num_heads)
        _weights_are_right(weights, real)
        _ignores_padding(module, x, real, num_heads, pooled, weights, g)
        _order_is_free(module, x, real, num_heads, pooled, weights, g)
        _rows_are_alone(module, x, real, num_heads)
        _far_scores(module, x, real, num_heads)
        _uses_events(module, x, real, num_heads, weights)
        _gradients(module, x, real)
        if dtype == torch.float64:
            _slopes_agree(module, x, real, num_heads)
    _query_is_learned(build(answer, d_model, num_heads, seed, torch.float32), d_model, num_heads)
    _pooled_follows_weights(answer, d_model, seed)
    _half_precision(answer, d_model, num_heads, seed)
    _modules_are_apart(answer, seed)
    try:
        answer(d_model, d_model - 1)
    except ValueError:
        return
    except Exception as error:  # anything else is not the clear error that is asked for
        fail(
            f"d_model={d_model}, num_heads={d_model - 1}: expected ValueError, got "
            f"{type(error).__name__}.",
            "raise ValueError when the heads do not divide d_model",
        )
    fail(
        f"d_model={d_model}, num_heads={d_model - 1} raised no ValueError.",
        "the test whether the heads divide d_model is missing, or turned round",
    )


def _weights_are_right(weights: torch.Tensor, real: torch.Tensor) -> None:
    require(
        bool(weights.isfinite().all()),
        "Weights of a stay without events are not finite.",
        "a softmax over −inf alone is not a number; give such a stay weights of zero",
    )
    outside = weights.masked_select(~real[:, None])
    require(
        bool((outside == 0).all()),
        "Padding has attention weights.",
        "mask before the softmax; True in is_event is a real event",
    )
    total = weights.sum(-1)
    want = real.any(1)[:, None].to(weights.dtype).expand_as(total)
    hint = "a softmax over the events, the last axis, with padding masked before it"
    words = "the sum of each head's weights over real events"
    same(total, want, words, atol=1e-5, mistakes={hint: total})
    if weights.shape[1] > 1:
        spread = (weights[0, 0] - weights[0, 1]).abs().max()
        require(
            bool(spread > 1e-6),
            "All heads have the same weights.",
            "every head scores the events itself; an average over heads is not wanted",
        )


def _ignores_padding(
    module: nn.Module,
    x: torch.Tensor,
    real: torch.Tensor,
    heads: int,
    pooled: torch.Tensor,
    weights: torch.Tensor,
    g: torch.Generator,
) -> None:
    b, t, d = x.shape
    junk = 50 * torch.randn(b, 4, d, generator=g, dtype=torch.float64).to(x.dtype)
    junk[:, -1] = 1e30
    changed = torch.where(real[..., None], x, x * -3 + 20)
    longer = torch.cat([changed, junk], 1)
    mask = torch.cat([real, torch.zeros(b, 4, dtype=torch.bool)], 1)
    again, more = pooled_of(module, longer, mask, heads)
    hint = "padding must be masked in the softmax, and must not be counted anywhere"
    same(again, pooled, "pooled, with other and more padding", mistakes={hint: again})
    same(more[..., :t], weights, "the weights, with more padding", mistakes={hint: more[..., :t]})


def _rows_are_alone(module: nn.Module, x: torch.Tensor, real: torch.Tensor, heads: int) -> None:
    """Beside an extreme stay and alone, a stay gives the same."""
    scale = torch.ones(len(x), 1, 1, dtype=x.dtype)
    scale[-1] = 1000
    pooled, weights = pooled_of(module, x * scale, real, heads)
    alone, own = pooled_of(module, x[:1], real[:1], heads)
    hint = "a stay depends on its own events alone, not on the others of its batch"
    same(
        pooled[:1], alone, "pooled of a stay, beside others and alone", mistakes={hint: pooled[:1]}
    )
    same(weights[:1], own, "weights of a stay, beside others", mistakes={hint: weights[:1]})


def _far_scores(module: nn.Module, x: torch.Tensor, real: torch.Tensor, heads: int) -> None:
    """Scores may be far from zero, also far below a number that fills padding."""
    hint = "a fill of −1e9 is not below every score: torch.finfo(dtype).min or −inf is"
    one = torch.zeros_like(real)
    one[:, 0] = True
    for scale, mask in ((1e10, real), (1e10, one), (-1e10, one)):
        _, weights = pooled_of(module, x * scale, mask, heads)
        require(bool(weights.isfinite().all()), "Weights at large scores are not finite.", hint)
        total = weights.masked_fill(~mask[:, None], 0).sum(-1)
        want = mask.any(1)[:, None].to(total.dtype).expand_as(total)
        words = "the sum of the weights at large scores"
        same(total, want, words, atol=1e-5, mistakes={hint: total})


def _order_is_free(
    module: nn.Module,
    x: torch.Tensor,
    real: torch.Tensor,
    heads: int,
    pooled: torch.Tensor,
    weights: torch.Tensor,
    g: torch.Generator,
) -> None:
    order = torch.randperm(x.shape[1], generator=g)
    again, moved = pooled_of(module, x[:, order], real[:, order], heads)
    hint = "pooling does not know positions: no positional code, no recurrent layer here"
    same(again, pooled, "pooled, with events in another order", mistakes={hint: again})
    same(moved, weights[..., order], "the weights, with events in another order")


def _uses_events(
    module: nn.Module, x: torch.Tensor, real: torch.Tensor, heads: int, weights: torch.Tensor
) -> None:
    _, other = pooled_of(module, x.flip(0) * 1.7, real, heads)
    row = int(real.sum(1).argmax())
    if real[row].sum() > 1:
        require(
            bool((other[row] - weights[row]).abs().max() > 1e-6),
            "The weights do not depend on the events.",
            "score each event with the query",
        )
    module.train()
    first, second = call(module, x, real), call(module, x, real)
    module.eval()
    same(
        second[0],
        first[0],
        "pooled in training mode, a second time",
        mistakes={"no dropout here, and no query drawn afresh": second[0]},
    )
    same(first[1], weights, "the weights in training mode", mistakes={"no dropout here": first[1]})


def _gradients(module: nn.Module, x: torch.Tensor, real: torch.Tensor) -> None:
    x = x.clone().requires_grad_()
    pooled, _ = call(module, x, real)
    (pooled**2).sum().backward()
    require(x.grad is not None, "No gradient reaches x.", "was something detached?")
    grads = [x.grad, *(p.grad for p in module.parameters() if p.grad is not None)]
    require(
        all(bool(g.isfinite().all()) for g in grads),
        "Gradients are not finite.",
        "a stay without events: its softmax row is not a number, replacing it later is too late",
    )
    empty = ~real.any(1)
    require(
        bool((x.grad[~real] == 0).all()) and bool((x.grad[empty] == 0).all()),
        "Padding has a gradient.",
    )
    require(bool((x.grad[real].abs().sum(-1) > 0).any()), "No gradient reaches real events.")
    module.zero_grad()


def _slopes_agree(module: nn.Module, x: torch.Tensor, real: torch.Tensor, heads: int) -> None:
    x = x.clone().requires_grad_()
    learned = [p for p in module.parameters() if p.requires_grad]
    assert_slopes(
        lambda: pooled_of(module, x, real, heads), ("pooled", "the weights"), [x, *learned]
    )


def _half_precision(answer: type, d_model: int, heads: int, seed: int) -> None:
    """In half precision dtypes are kept and the weights still sum to one."""
    module = build(answer, d_model, heads, seed, torch.bfloat16)
    x = torch.randn(2, 5, d_model, generator=torch.Generator().manual_seed(seed)).bfloat16()
    real = torch.tensor([[True] * 5, [True, False, True, False, False]])
    _, weights = pooled_of(module, x, real, heads)
    one = torch.ones(2, heads)
    same(weights.float().sum(-1), one, "the sum of the weights in half precision", atol=0.03)


def _modules_are_apart(answer: type, seed: int) -> None:
    """Two modules of different size do not share anything."""
    x, real = torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)
    first = build(answer, 8, 2, seed, torch.float32)
    before, _ = pooled_of(first, x, real, 2)
    pooled_of(build(answer, 6, 3, seed + 1, torch.float32), x[..., :6], real, 3)
    again, _ = pooled_of(first, x, real, 2)
    hint = "keep parameters and numbers in self, not in the class or in a global"
    same(again, before, "pooled, after another module was made", mistakes={hint: again})


def _query_is_learned(module: nn.Module, d_model: int, heads: int) -> None:
    """Some parameter moves the weights; nothing of a query's size that moves them is fixed."""
    g = torch.Generator().manual_seed(5)
    x, real = torch.randn(2, 4, d_model, generator=g), torch.ones(2, 4, dtype=torch.bool)
    _, weights = call(module, x, real)
    require(
        weights.requires_grad, "No parameter moves the weights.", "the query is an nn.Parameter"
    )
    fixed = [b for b in module.buffers() if b.is_floating_point()]
    fixed += [p for p in module.parameters() if not p.requires_grad]
    for tensor in fixed:
        if tensor.numel() < d_model:
            continue
        with torch.no_grad():
            tensor.add_(torch.randn(tensor.shape, generator=g))
            _, moved = call(module, x, real)
        require(
            bool((moved - weights).abs().max() < 1e-6),
            "The weights depend on a tensor that is never learned.",
            "the query is an nn.Parameter, not a buffer",
        )


def _pooled_follows_weights(answer: type, d_model: int, seed: int) -> None:
    """Where one head looks at one event alone, pooled is what that event alone gives."""
    module = build(answer, d_model, 1, seed, torch.float64)
    g = torch.Generator().manual_seed(seed + 3)
    x = torch.randn(6, 4, d_model, generator=g, dtype=torch.float64)
    real = torch.ones(6, 4, dtype=torch.bool)
    for scale in (1.0, 10.0, 100.0, 1000.0, 1e4):
        pooled, weights = pooled_of(module, x * scale, real, 1)
        top = weights[:, 0].max(-1)
        sure = top.values > 1 - 1e-7
        if sure.any():
            rows = torch.nonzero(sure)[:, 0]
            alone = (x * scale)[rows, top.indices[rows]][:, None]
            want, _ = pooled_of(module, alone, torch.ones(len(rows), 1, dtype=torch.bool), 1)
            words = "pooled is the weighted sum by these very weights, not a plain mean"
            same(
                pooled[rows],
                want,
                "pooled, where all weight is on one event",
                rtol=1e-3,
                atol=1e-3 * scale,
                mistakes={words: pooled[rows]},
            )
            return


__all__: list[Any] = ["build", "pooled_of", "pooling_checks"]
