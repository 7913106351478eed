"""Visible checks of notebook 01, self-attention.

Expected values come from torch, scikit-learn and SciPy, never from a model answer.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks._attention_probe import (
    build,
    examine_dropout,
    examine_heads,
    examine_mask,
    examine_masks,
)
from course_utils.checks._core import CheckFailed, Notebook, call, fail, require, same
from course_utils.checks._embedding_probe import examine_embedding
from course_utils.checks._epoch_probe import (
    WatchedModel,
    examine_empty,
    examine_epoch,
    loss_of,
    make_batches,
)
from course_utils.checks._tensors import draw, gradients, numbers

__all__ = [
    "NOTEBOOK",
    "MultiHeadSelfAttention",
    "TokenEmbedding",
    "WatchedModel",
    "attention_entropy",
    "build",
    "compare_attention",
    "compare_attention_gradients",
    "compare_code",
    "compare_entropy",
    "compare_f1",
    "compare_loss",
    "compare_pooling",
    "draw",
    "examine_ablation",
    "examine_dropout",
    "examine_embedding",
    "examine_empty",
    "examine_epoch",
    "examine_heads",
    "examine_mask",
    "examine_masks",
    "f1_scores",
    "gradients",
    "loss_of",
    "make_batches",
    "masked_mean_pool",
    "multilabel_loss",
    "numbers",
    "pair",
    "refuses_heads",
    "scaled_dot_product_attention",
    "scaling_ablation",
    "sinusoidal_positional_encoding",
    "summary",
    "train_one_epoch",
]

NOTEBOOK = Notebook("01_self_attention", written=7)
summary = NOTEBOOK.summary

NEAR: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


def pair(result: object, names: str) -> tuple[Any, Any]:
    """Unpack a pair that an answer returned, or fail saying what came."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail(f"Expected two values, {names}, got {_kind(result)}.", f"`return {names}` is missing")
    return result[0], result[1]


def _kind(value: object) -> str:
    size = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"a {type(value).__name__}{size}{shape}"


# ------------------------------------------------------------------ scaled dot-product attention
def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor]:
    """Context and weights from torch (weights are the context of one-hot values)."""
    one_hot = torch.eye(k.size(-2), dtype=k.dtype).expand(*k.shape[:-1], k.size(-2))
    if mask is not None:
        mask = mask.expand(*q.shape[:-1], k.size(-2))
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    return context, F.scaled_dot_product_attention(q, k, one_hot, attn_mask=mask, scale=scale)


def _attention_mistakes(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float | None
) -> dict[str, Tensor]:
    width, default = q.size(-1), 1 / math.sqrt(q.size(-1))
    factor = default if scale is None else scale
    every = torch.ones(*q.shape[:-1], k.size(-2), dtype=torch.bool)
    keep = every if mask is None else mask.expand_as(every)
    scores = q @ k.mT * factor

    def weights(scale: float, keep: Tensor = keep) -> Tensor:
        return _attend(q, k, v, keep, scale)[1]

    plain = scores.softmax(-1)
    found: dict[str, Tensor] = {}
    if scale is None:
        found |= {
            "the scores are not scaled: multiply them by 1/sqrt(d_k)": weights(1.0),
            "the scores are divided by d_k; the scale is 1/sqrt(d_k)": weights(1 / width),
            "the scores are multiplied by sqrt(d_k); divide by it": weights(math.sqrt(width)),
            "the scale comes from another dimension: d_k is the last one of query": weights(
                1 / math.sqrt(q.size(-2))
            ),
            "the scale comes from the number of keys; d_k is the last dimension of query": weights(
                1 / math.sqrt(k.size(-2))
            ),
            "the scale comes from the width of value; d_k is the last dimension of query": weights(
                1 / math.sqrt(v.size(-1))
            ),
        }
    elif scale == 0:
        found["scale=0.0 was taken for no scale: test `scale is None`, not `if scale`"] = weights(
            default
        )
    else:
        found |= {
            "the given scale is ignored: 1/sqrt(d_k) is only the default": weights(default),
            "the given scale comes on top of 1/sqrt(d_k); it replaces it": weights(scale * default),
            "the scores are divided by scale; it multiplies them": weights(1 / scale),
        }
    if mask is not None:
        bias = torch.where(keep, 0.0, -10.0).to(scores.dtype)
        found |= {
            "the mask is read the other way round: True = may attend": weights(factor, ~keep),
            "the mask is not used": plain,
            "the mask multiplies the weights after the softmax, so rows no longer sum to one; "
            "set masked scores to minus infinity before it": plain * keep,
            "masked scores become 0, and exp(0) = 1 is not nothing: the mask needs minus "
            "infinity": torch.where(keep, scores, 0.0).softmax(-1),
            "masked scores are not low enough: the mask needs minus infinity": torch.where(
                keep, scores, bias
            ).softmax(-1),
        }
    else:
        lower = torch.ones_like(scores, dtype=torch.bool).tril()
        found["with no mask given, every query may attend to every key"] = weights(factor, lower)
    cosine = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * factor
    return found | {
        "the softmax runs over the queries; it belongs over the keys, dim=-1": scores.softmax(-2),
        "the softmax runs over the first dimension; the keys are dim=-1": scores.softmax(0),
        "one softmax over queries and keys together: each row must sum to one": scores.flatten(-2)
        .softmax(-1)
        .view_as(scores),
        "these are the scores; the weights are their softmax": scores,
        "a cosine: query and key were normalised before the dot product": cosine.softmax(-1),
        "a key `reshape`d in place of transposed: swap its last two dimensions": (
            q @ k.reshape(*k.shape[:-2], k.size(-1), k.size(-2)) * factor
        ).softmax(-1),
    }


def compare_attention(
    answer: Callable[..., Any],
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Compare an attention function with torch's, and name the mistake it looks like.

    Returns
    -------
    The answer's context and weights.
    """
    args = () if mask is None and scale is None else (mask,) if scale is None else (mask, scale)
    context, weights = pair(call(answer, q, k, v, *args), "context, weights")
    want_context, want_weights = _attend(q, k, v, mask, scale)
    if torch.is_tensor(context) and context.shape == want_weights.shape != want_context.shape:
        swapped = "the two are the wrong way round: context first, then weights"
    else:
        swapped = "context = weights @ value has a row per query and a column per value feature"
    same_shape(context, want_context, "the context", swapped)
    same_shape(weights, want_weights, "the weights", "one row per query, one column per key")
    kind = "no mask" if mask is None else f"attn_mask {tuple(mask.shape)}"
    kind += "" if scale is None else f", scale={scale:g}"
    for name, got, want in (("weights", weights, want_weights), ("context", context, want_context)):
        same(got.detach()[:0], want[:0], f"the {name}")  # kind and dtype before values
    if mask is not None:
        _compare_keyless(context, weights, mask.expand_as(want_weights))
    mistakes = _attention_mistakes(q, k, v, mask, scale)
    near = NEAR if q.dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    same(weights, want_weights, f"the weights ({kind})", mistakes=mistakes, **near)
    contexts = {
        "the weights are right, but the context is the plain mean of the values": v.mean(
            -2, keepdim=True
        ).expand_as(want_context)
    } | {words: w @ v for words, w in mistakes.items() if w.shape == want_weights.shape}
    same(context, want_context, f"the context ({kind})", mistakes=contexts, **near)
    return context, weights


def _compare_keyless(context: Tensor, weights: Tensor, keep: Tensor) -> None:
    dead = ~keep.any(-1)
    if not dead.any():
        return
    for name, got in (("weights", weights), ("context", context)):
        row = got.detach()[dead]
        nan = bool(torch.isnan(row).any())
        seen = "NaN" if nan else f"{row.flatten()[0].item():.4g}, …"
        require(
            bool((row == 0).all()),
            f"A query whose keys are all masked needs {name} of zero, got {seen}.",
            "a softmax over a row of minus infinity is 0/0 = NaN"
            if nan
            else "with -1e9 for minus infinity a query that has no key left attends evenly to all; "
            f"set its {name} to zero",
        )


def same_shape(got: Any, want: Tensor, what: str, hint: str) -> None:
    """Fail unless ``got`` is a tensor of the shape of ``want``, with a hint of its own."""
    if isinstance(got, Tensor) and got.shape != want.shape:
        fail(f"Expected {what} with shape {tuple(want.shape)}, got shape {tuple(got.shape)}.", hint)
    if not isinstance(got, Tensor):
        fail(f"Expected {what} as a tensor of shape {tuple(want.shape)}, got {_kind(got)}.", hint)


@NOTEBOOK.exercise(
    points=6,
    forbids=(
        "scaled_dot_product_attention",
        "multi_head_attention_forward",
        "MultiheadAttention",
        "MultiHeadAttention",
    ),
)
def scaled_dot_product_attention(answer: Callable[..., Any]) -> str:
    """Compare with torch on batches and heads, masks, and a query without keys."""
    for dtype in (torch.float32, torch.float64):
        q, k = draw(2, 3, 4, 8, seed=1, dtype=dtype), draw(2, 3, 6, 8, seed=2, dtype=dtype)
        v = draw(2, 3, 6, 5, seed=3, dtype=dtype)
        first, again = (pair(call(answer, q, k, v), "context, weights") for _ in range(2))
        for one, two in zip(first, again, strict=True):
            if isinstance(one, Tensor) and isinstance(two, Tensor) and not torch.equal(one, two):
                fail("Two calls with the same inputs differ.", "the result is random: no dropout")
        compare_attention(answer, q, k, v)
        compare_attention(answer, q, k, v, None, 0.3)
        mask = torch.rand(2, 1, 4, 6, generator=numbers(4)) < 0.6
        mask[..., 2] = True
        compare_attention(answer, q, k, v, mask)
        mask[1, 0, 2] = False
        compare_attention(answer, q, k, v, mask)
        compare_attention_gradients(answer, q, k, v, mask)
    return "against torch: shapes, scale, masks, a query without keys, gradients, both precisions"


def compare_attention_gradients(
    answer: Callable[..., Any], q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
) -> None:
    """Compare the gradients of query, key and value, through context and through weights."""
    q, k, v = (x.clone().requires_grad_() for x in (q, k, v))
    args = () if mask is None else (mask,)
    got = pair(call(answer, q, k, v, *args), "context, weights")
    want = _attend(q, k, v, mask, None)
    for name, one, two, inputs in (
        ("the context", got[0], want[0], (q, k, v)),
        ("the weights", got[1], want[1], (q, k)),
    ):
        slope = draw(*two.shape, seed=5, dtype=two.dtype)
        found = gradients((one * slope).sum(), inputs, name)
        expected = torch.autograd.grad((two * slope).sum(), inputs, retain_graph=True)
        for letter, a, b in zip(("query", "key", "value"), found, expected, strict=False):
            same(a, b, f"the gradient of {letter} through {name}", rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------ multi-head self-attention
@NOTEBOOK.exercise(
    points=8,
    forbids=("MultiheadAttention", "multi_head_attention_forward", "MultiHeadAttention"),
)
def MultiHeadSelfAttention(answer: Callable[..., Any]) -> str:
    """Probe the module by its properties: layout, names and start values are free."""
    refuses_heads(answer, 10, 4)
    examine_heads(answer, 12, 3, seed=11)
    examine_masks(answer, 12, 3, seed=12)
    examine_dropout(answer, 6, 1, 3, rate=0.3, seed=13)
    return (
        "head split, scale, own weights for four maps, masks, a query without keys, dropout on "
        "the attention weights, gradients"
    )


def refuses_heads(answer: Callable[..., Any], d_model: int, num_heads: int) -> None:
    """Fail unless building the module with heads that do not divide raises ValueError."""
    try:
        answer(d_model, num_heads)
    except (ValueError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError):
            call(answer, d_model, num_heads)
        return
    except Exception as error:
        seen = f"raised {type(error).__name__}"
    else:
        seen = "nothing was raised"
    fail(
        f"With d_model={d_model} and num_heads={num_heads} expected a ValueError, {seen}.",
        "`raise ValueError(...)` in `__init__` when d_model % num_heads is not 0 (not `assert`)",
    )


# ------------------------------------------------------------------ positions
def _code_mistakes(n: int, d: int) -> dict[str, Tensor]:
    p, column = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(d).double()
    i = torch.div(column, 2, rounding_mode="floor")

    def code(
        exponent: Tensor, p: Tensor = p, turn: Tensor = column % 2, base: float = 1e4
    ) -> Tensor:
        return torch.sin(p * base**-exponent + turn * math.pi / 2)

    half = (d + 1) // 2
    cut = d - d % 2
    j = torch.cat([torch.arange(half), torch.arange(d - half)]).double()
    rates = 1e4 ** (-2 * i / d)
    last = code(2 * i / d)
    last_zero, last_cosine = last.clone(), last.clone()
    if d % 2:
        last_zero[:, -1] = 0
        last_cosine[:, -1] = torch.cos(p * rates[-1])[:, 0]
    return {
        "sines and cosines stand in two halves; interleave them: sine in columns 0, 2, 4, …": code(
            2 * j / d, turn=(torch.arange(d) >= half).double()
        ),
        "sine and cosine are swapped: column 0 is a sine": code(2 * i / d, turn=1 - column % 2),
        "the first position is 0, not 1": code(2 * i / d, p + 1),
        "the exponent is 2i/d_model, here it is i/d_model": code(i / d),
        "the exponent is 2i/d_model, and `arange(0, d_model, 2)` is 2i already": code(4 * i / d),
        "the cosine of a pair uses the same angle as its sine, exponent 2i/d_model": code(
            column / d
        ),
        "the base is 10000": code(2 * i / d, base=1e3),
        "the rate is inverted: divide the position by 10000^(2i/d_model)": code(-2 * i / d),
        "degrees: sine and cosine take radians": code(2 * i / d, p * math.pi / 180, column % 2),
        "the exponent divides by d_model, not by d_model - 2": code(2 * i / max(d - 2, 1)),
        "the code has no further scale": last / math.sqrt(d),
        "with an odd d_model the last column is a sine, here it is zero": last_zero,
        "with an odd d_model the last column is a sine, here it is a cosine": last_cosine,
        "with an odd d_model the exponent still divides by d_model itself": code(
            2 * i / max(cut, 1)
        ),
        "with an odd d_model the exponent divides by d_model itself, not by the next even": code(
            2 * i / (d + d % 2)
        ),
        "low precision: angles grow to 500, so compute them in float32 or better": torch.sin(
            p * rates.half().double() + (column % 2) * math.pi / 2
        ),
    }


def compare_code(answer: Callable[..., Any], max_len: int, d_model: int) -> None:
    """Compare a position code with the formula, worked out entry by entry."""
    got = call(answer, max_len, d_model)
    require(
        isinstance(got, Tensor),
        f"Expected a tensor, got {_kind(got)}.",
        "`torch.from_numpy` turns an array into a tensor",
    )
    angle = [[p / 10000 ** (c // 2 * 2 / d_model) for c in range(d_model)] for p in range(max_len)]
    want = torch.tensor(
        [[(math.sin, math.cos)[c % 2](a) for c, a in enumerate(row)] for row in angle]
    )
    same_shape(got, want, f"max_len={max_len}, d_model={d_model}", "(max_len, d_model), no batch")
    require(
        not got.requires_grad,
        "The code carries a gradient.",
        "it is a fixed table, not a parameter; the gradient is for things that learn",
    )
    what = f"the code of max_len={max_len}, d_model={d_model}"
    same(got, want, what, rtol=0, atol=1e-4, mistakes=_code_mistakes(max_len, d_model))


@NOTEBOOK.exercise(points=4, forbids=("SinusoidalPositionalEncoding",))
def sinusoidal_positional_encoding(answer: Callable[..., Any]) -> str:
    """Compare with the formula at even and odd widths."""
    for max_len, d_model in ((50, 16), (6, 8), (6, 7), (1, 2)):
        try:
            compare_code(answer, max_len, d_model)
        except CheckFailed as error:
            if d_model % 2 and "It raised" in str(error):
                fail(
                    "\n".join(line.strip() for line in str(error).splitlines()[1:4]),
                    "an odd d_model has one sine more than cosines: cut the last cosine off",
                )
            raise
    return "the formula entry by entry, even and odd d_model, float32, no gradient"


# ------------------------------------------------------------------ pooling
def compare_pooling(answer: Callable[..., Any], x: Tensor, is_token: Tensor) -> Tensor:
    """Compare a masked mean with the plain mean of each row's tokens; return what came."""
    rows = [
        row[keep].mean(0) if keep.any() else row.new_zeros(row.size(-1))
        for row, keep in zip(x.detach(), is_token, strict=True)
    ]
    want = torch.stack(rows)
    got = call(answer, x, is_token)
    same_shape(got, want, "the pooled vectors", "one vector a row: (B, D)")
    keep = is_token[..., None].to(x.dtype)
    data, count = x.detach(), keep.sum(1).clamp(min=1)
    total = (data * keep).sum(1)
    lengths = is_token.sum(1, keepdim=True)
    first = (torch.arange(x.size(1)) < lengths)[..., None].to(x.dtype)
    mistakes = {
        "the padding is averaged in": data.mean(1),
        "the padding is left out of the sum, but the sum is divided by T; divide by the number of "
        "tokens": total / x.size(1),
        "this is the sum; divide it by the number of tokens for the mean": total,
        "the padding is in the sum": data.sum(1) / count,
        "the mask is read the other way round: True = real token": (data * (1 - keep)).sum(1)
        / (1 - keep).sum(1).clamp(min=1),
        "tokens may stand anywhere in the row, not only at its beginning": (data * first).sum(1)
        / count,
        "this is the first token; the mean of all tokens is wanted": data[:, 0],
        "the largest value, where the mean is wanted": data.masked_fill(keep == 0, -1e4).amax(1),
        "each row has its own number of tokens; this divides by that of the whole batch": total
        / keep.sum().clamp(min=1),
        "a vector of zeros can be a real token: only is_token decides": _mean(
            data, is_token & (data != 0).any(-1)
        ),
        "a single zero inside a vector counts like any other number": total
        / (keep * (data != 0)).sum(1).clamp(min=1),
        "the count of tokens is clamped too high: at least 1": total / count.clamp(min=2),
    }
    for more in (1, 0.1, 0.01, 1e-3, 1e-4):
        words = f"the count of tokens is {more:g} too high; `clamp(min=1)` leaves it as it is"
        mistakes[words] = total / (count + more)
    empty = ~is_token.any(1)
    same(
        got[~empty],
        want[~empty],
        "the mean over the tokens",
        mistakes={words: value[~empty] for words, value in mistakes.items()},
        **NEAR,
    )
    empty = ~is_token.any(1)
    if empty.any():
        seen = got.detach()[empty]
        require(
            bool((seen == 0).all()),
            f"A row without a token must give zeros, got {seen.flatten()[0].item():.4g}, ….",
            "0/0: divide by at least one"
            if torch.isnan(seen).any()
            else "the row without tokens fell back on its padding",
        )
    return got


def _mean(x: Tensor, keep: Tensor) -> Tensor:
    keep = keep[..., None].to(x.dtype)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)


@NOTEBOOK.exercise(points=3)
def masked_mean_pool(answer: Callable[..., Any]) -> str:
    """Compare with the mean of the selected rows, with gaps and an empty row."""
    is_token = torch.tensor(
        [[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
    ).bool()
    for dtype in (torch.float32, torch.float64):
        x = draw(5, 5, 4, seed=21, dtype=dtype)
        compare_pooling(answer, x, is_token)
        x.requires_grad_()
        slope = draw(5, 4, seed=22, dtype=dtype)
        found = gradients((call(answer, x, is_token) * slope).sum(), [x], "the pooled vectors")[0]
        want = is_token[..., None] * slope[:, None] / is_token.sum(1).clamp(min=1)[:, None, None]
        same(found, want.to(dtype), "the gradient of x", **NEAR)
    return "tokens in front and scattered, a row without tokens, gradients, both precisions"


# ------------------------------------------------------------------ loss
def _loss_mistakes(z: Tensor, y: Tensor, w: Tensor | None) -> dict[str, Tensor]:
    y = y.to(z.dtype)
    weight = torch.ones_like(z[0]) if w is None else w.to(z.dtype)
    hit, miss = F.softplus(-z), F.softplus(z)
    terms = weight * y * hit + (1 - y) * miss
    p = z.sigmoid().clamp(1e-7, 1 - 1e-7)
    cut = z.clamp(-50, 50)
    found = {
        "this is the sum over all entries; the mean is wanted": terms.sum(),
        "summed over the classes: the mean goes over all B·C entries": terms.sum(1).mean(),
        "summed over the batch: the mean goes over all B·C entries": terms.mean(1).sum(),
        "the sign: the loss is minus the log-likelihood": -terms.mean(),
        "the negative term, (1 − y)·log(1 − p), is missing": (weight * y * hit).mean(),
        "labels 0 and 1 are swapped": (weight * (1 - y) * hit + y * miss).mean(),
        "a softmax lets the labels exclude each other; every label has a sigmoid of its own": (
            -weight * y * z.log_softmax(-1)
        ).mean(),
        "a natural logarithm is wanted": terms.mean() / math.log(2),
        "clamped probabilities cannot show how wrong a large logit is; start from "
        "F.logsigmoid or F.softplus": -(weight * y * p.log() + (1 - y) * (1 - p).log()).mean(),
        "clamped logits lose the size of a large one (and its gradient)": (
            weight * y * F.softplus(-cut) + (1 - y) * F.softplus(cut)
        ).mean(),
        "the squared error; the log of the probability is wanted": ((z.sigmoid() - y) ** 2).mean(),
    }
    if w is not None:
        found |= {
            "pos_weight multiplies both terms; it belongs to the positive one alone": (
                weight * (y * hit + (1 - y) * miss)
            ).mean(),
            "pos_weight multiplies the negative term; it belongs to the positive one": (
                y * hit + weight * (1 - y) * miss
            ).mean(),
            "pos_weight is not used": (y * hit + (1 - y) * miss).mean(),
            "normalised by the sum of the weights: divide by B·C, as without them": terms.sum()
            / (weight * y + 1 - y).sum(),
            "pos_weight is normalised first; use it as it is": (
                weight / weight.mean() * y * hit + (1 - y) * miss
            ).mean(),
            "every class has its own entry in pos_weight; here all share one": (
                weight.mean() * y * hit + (1 - y) * miss
            ).mean(),
        }
    return found


def compare_loss(
    answer: Callable[..., Any], logits: Tensor, labels: Tensor, pos_weight: Tensor | None = None
) -> None:
    """Compare a loss and its gradient with :class:`torch.nn.BCEWithLogitsLoss`."""
    logits = logits.detach().clone().requires_grad_()
    want = nn.BCEWithLogitsLoss(pos_weight=pos_weight)(logits, labels.to(logits.dtype))
    args = () if pos_weight is None else (pos_weight,)
    got = call(answer, logits, labels, *args)
    kind = "" if pos_weight is None else ", with pos_weight"
    what = f"the loss of {str(labels.dtype).removeprefix('torch.')} labels{kind}"
    large = float(logits.detach().abs().max()) >= 100
    if large:
        what += ", logits of ±1000,"
    require(
        isinstance(got, Tensor),
        f"Expected a 0-d tensor, got {_kind(got)}.",
        "a number of Python has no gradient: leave `.item()` to the caller",
    )
    require(
        got.dim() == 0,
        f"Expected a 0-d tensor, got shape {tuple(got.shape)}.",
        "average over all entries: `.mean()` without a dimension",
    )
    if large and not torch.isfinite(got):
        fail(
            f"At logits of ±1000 the loss is {got.item()}, torch has {want.item():.6g}.",
            "the log of a sigmoid that is 0, or an exp that overflows: use F.logsigmoid, "
            "F.softplus or torch.logaddexp",
        )
    with torch.no_grad():
        mistakes = _loss_mistakes(logits, labels, pos_weight)
    same(got, want, what, mistakes=mistakes, **NEAR)
    found = gradients(got, [logits], "the loss")[0]
    expected = torch.autograd.grad(want, logits)[0]
    same(found, expected, f"the gradient of {what}", **NEAR)


@NOTEBOOK.exercise(
    points=5,
    forbids=(
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "multilabel_soft_margin_loss",
    ),
)
def multilabel_loss(answer: Callable[..., Any]) -> str:
    """Compare with nn.BCEWithLogitsLoss, also far out."""
    weight = torch.tensor([0.5, 1.0, 4.0])
    for dtype in (torch.float32, torch.float64):
        z = 2 * draw(5, 3, seed=31, dtype=dtype)
        y = draw(5, 3, seed=32) > 0.3
        compare_loss(answer, z, y.to(dtype))
        compare_loss(answer, z, y.long())
        compare_loss(answer, z, y.to(dtype), weight.to(dtype))
        compare_loss(answer, z, y)
        far = torch.tensor([[1000.0, -1000.0, 1000.0], [-1000.0, 40.0, -40.0]], dtype=dtype)
        for labels in (torch.tensor([[1, 0, 1], [0, 1, 0]]), torch.tensor([[0, 1, 0], [1, 0, 1]])):
            compare_loss(answer, far, labels, weight.to(dtype))
    return "against nn.BCEWithLogitsLoss: labels of any dtype, pos_weight, logits of ±1000, slopes"


# ------------------------------------------------------------------ training
@NOTEBOOK.exercise(points=6)
def train_one_epoch(answer: Callable[..., Any]) -> str:
    """Watch the model, the loss and the optimiser while the answer trains."""
    examine_epoch(answer, sizes=(4, 4, 1), max_norm=0.5, seed=41)
    examine_epoch(answer, sizes=(3, 2), max_norm=50.0, seed=42)
    examine_empty(answer, seed=43)
    return "training mode, cleared gradients, total norm, one step a batch, mean loss, no batches"


# ------------------------------------------------------------------ metrics
def _f1_mistakes(y: np.ndarray, p: np.ndarray) -> dict[str, dict[str, Any]]:
    tp, fp, fn = (y & p).sum(0), (~y & p).sum(0), (y & ~p).sum(0)
    with np.errstate(all="ignore"):
        f1 = 2 * tp / (2 * tp + fp + fn)
        precision, recall = tp / (tp + fp), tp / (tp + fn)
    score = np.nan_to_num(f1)
    mean_p, mean_r = np.nan_to_num(precision).mean(), np.nan_to_num(recall).mean()
    support = y.sum(0)
    micro = 2 * tp.sum() / max(2 * tp.sum() + fp.sum() + fn.sum(), 1)
    rows = 2 * (y & p).sum(1) / np.maximum(y.sum(1) + p.sum(1), 1)
    some, harmonic = f1[~np.isnan(f1)], 2 * mean_p * mean_r / max(mean_p + mean_r, 1e-12)
    return {
        "per_class": {
            "an undefined score (no positives, none predicted) is 0, not nan": f1,
            "an undefined score is 0, not 1": np.where(np.isnan(f1), 1.0, f1),
            "this is precision, not F1": np.nan_to_num(precision),
            "this is recall, not F1": np.nan_to_num(recall),
            "the accuracy of each class, not F1": (y == p).mean(0),
            "intersection over union, not F1: TP counts twice": tp / np.maximum(tp + fp + fn, 1),
            "F1 is 2·TP / (2·TP + FP + FN): the two is missing above": score / 2,
            "arithmetic mean of precision and recall; F1 is the harmonic one": (
                np.nan_to_num(precision) + np.nan_to_num(recall)
            )
            / 2,
            "rounded: leave all the digits": score.round(2),
            "percent, where a number from 0 to 1 is wanted": 100 * score,
            "scores of the zeros; 1 is the positive class": (
                2 * (~y & ~p).sum(0) / np.maximum((~y).sum(0) + (~p).sum(0), 1)
            ),
            "labels were compared with themselves, not with the predictions": (
                y.any(0).astype(float)
            ),
        },
        "macro": {
            "micro and macro are swapped": micro,
            "classes with an undefined score count as 0 in the mean; here they are left out": (
                some.mean() if some.size else 0.0
            ),
            "macro is the mean over all classes, those without a positive label too": (
                score[support > 0].mean() if (support > 0).any() else 0.0
            ),
            "macro is the mean of the per-class scores, not the score of the mean precision and "
            "mean recall": harmonic,
            "macro has no weights: every class counts the same": (
                (score * support).sum() / max(support.sum(), 1)
            ),
            "macro averages over classes; this averages over samples": rows.mean(),
        },
        "micro": {
            "micro and macro are swapped": score.mean(),
            "micro counts ones only; with the zeros it becomes the accuracy": (y == p).mean(),
            "micro pools the counts of all classes, it is no mean": (
                (score * support).sum() / max(support.sum(), 1)
            ),
        },
    }


@functools.lru_cache
def _f1_of(labels: bytes, predictions: bytes, n_classes: int) -> tuple[tuple[float, ...], float]:
    """Per-class scores and the pooled one from scikit-learn, kept for the next dtype."""
    from sklearn.metrics import f1_score

    y, p = (np.frombuffer(z, dtype=bool).reshape(-1, n_classes) for z in (labels, predictions))
    each = tuple(float(f1_score(a, b, zero_division=0.0)) for a, b in zip(y.T, p.T, strict=True))
    return each, float(f1_score(y.ravel(), p.ravel(), zero_division=0.0))


def compare_f1(answer: Callable[..., Any], labels: Any, predictions: Any) -> None:
    """Compare scores with scikit-learn's, class by class; an undefined one is 0."""
    y, p = np.asarray(labels).astype(bool), np.asarray(predictions).astype(bool)
    score, micro = _f1_of(y.tobytes(), p.tobytes(), y.shape[1])
    kind = "tensors" if isinstance(labels, Tensor) else "numpy arrays"
    kind = f"{kind} {y.shape} {str(labels.dtype).removeprefix('torch.')}"
    try:
        got = call(answer, labels, predictions)
    except CheckFailed as error:
        if y.shape[1] == 1 and "It raised" in str(error):
            fail(
                "\n".join(line.strip() for line in str(error).splitlines()[1:3]),
                "C = 1: one class is still a column of its own, (B, 1); per_class has one score",
            )
        if "ZeroDivision" in str(error):
            fail(f"It raised ZeroDivisionError for {kind}.", "an undefined score is 0: 0/0")
        raise
    keys = ("micro", "macro", "per_class")
    require(isinstance(got, dict), f"Expected a dict, got {_kind(got)}.", f"a dict with {keys}")
    missing = [key for key in keys if key not in got]
    require(
        not missing, f"The dict has no {', '.join(missing)}; it has {', '.join(map(str, got))}."
    )
    per_class = got["per_class"]
    if isinstance(per_class, dict) or not hasattr(per_class, "__len__"):
        fail(f"Expected per_class as a sequence of {y.shape[1]} scores, got {_kind(per_class)}.")
    mistakes = _f1_mistakes(y, p)
    one = "" if y.shape[1] > 1 else " with C = 1"
    if len(per_class) != len(score):
        fail(
            f"Expected per_class with {len(score)} scores{one}, got {len(per_class)} ({kind}).",
            "with C = 1 scikit-learn scores both classes of a binary task, zeros too: hand it one "
            "class at a time"
            if one
            else "count over the samples, axis 0: one score a class",
        )
    what = f"per_class{one} of {kind}"
    if kind.endswith("int8") and len(y) > 100:
        mistakes["per_class"] = {}
        what += " (does a small integer overflow?)"
    values = np.array([float(value) for value in per_class])
    same(values, np.array(score), what, mistakes=mistakes["per_class"], **NEAR)
    for key, want in (("macro", float(np.mean(score))), ("micro", float(micro))):
        number = np.asarray(got[key])
        require(number.size == 1, f"Expected {key} as one number, got {_kind(got[key])}.")
        same(float(got[key]), want, f"{key}{one} of {kind}", mistakes=mistakes[key], **NEAR)


@NOTEBOOK.exercise(points=5)
def f1_scores(answer: Callable[..., Any]) -> str:
    """Compare with scikit-learn on arrays and tensors of several kinds."""
    random = np.random.default_rng(51)
    labels = (random.random((40, 4)) < (0.5, 0.3, 0.2, 0.0)).astype(np.int64)
    predictions = np.where(random.random((40, 4)) < 0.75, labels, 1 - labels)
    predictions[:, 3] = 0
    compare_f1(answer, labels, predictions)
    compare_f1(answer, torch.from_numpy(labels), torch.from_numpy(predictions).float())
    compare_f1(answer, labels.astype(bool), predictions.astype(bool))
    compare_f1(answer, labels[:, :1].astype(float), predictions[:, :1].astype(float))
    return "against scikit-learn: arrays and tensors, an undefined class, C = 1"


# ------------------------------------------------------------------ embedding
@NOTEBOOK.exercise(points=5)
def TokenEmbedding(answer: Callable[..., Any]) -> str:
    """Take the embedding apart into its two summands."""
    examine_embedding(answer, vocab_size=1200, d_model=16, max_len=20, pad_id=0, seed=61)
    return "size of both summands, sqrt(d_model), positions, a pad row that stays zero, device"


# ------------------------------------------------------------------ entropy
def compare_entropy(answer: Callable[..., Any], weights: Tensor) -> None:
    """Compare an entropy with SciPy's ``entr``, which knows that 0·ln 0 = 0."""
    from scipy.special import entr

    want = torch.from_numpy(np.asarray(entr(weights.double().numpy()).sum(-1))).to(weights.dtype)
    got = call(answer, weights)
    require(
        isinstance(got, Tensor),
        f"Expected a tensor, got {_kind(got)}.",
        "stay in torch: torch.xlogy, torch.special.entr, or a mask",
    )
    same_shape(got, want, "the entropies", "sum over the keys, the last dimension, and no other")
    w = weights.double()
    total = w.sum(-1, keepdim=True)
    share = w / total.clamp(min=1e-12)
    has_zero = (w == 0).any(-1)
    exact = want.double()
    empty = (w == 0).all(-1)
    log_keys = math.log(max(w.size(-1), 2))
    mistakes: dict[str, Any] = {
        "the sign: ln w is negative, the entropy is not": -exact,
        "bits; nats want the natural logarithm": exact / math.log(2),
        "base ten; nats want the natural logarithm": exact / math.log(10),
        "the mean over the keys; the sum is wanted": exact / w.size(-1),
        "divided by its maximum ln S; plain nats are wanted": exact / log_keys,
        "rows are renormalised to sum one first; take them as they are": torch.special.entr(
            share
        ).sum(-1),
        "these are weights already: no softmax": torch.special.entr(w.softmax(-1)).sum(-1),
        "a row that holds a zero weight counts as 0; only that term 0·ln 0 is 0": torch.where(
            has_zero, 0.0, exact
        ),
        "an epsilon moves the logarithm: it is too large to go unseen": -(w * (w + 1e-3).log()).sum(
            -1
        ),
        "an epsilon moves the weights before the logarithm": torch.special.entr(w + 1e-4).sum(-1),
        "1 − Σ w² is another measure, not the entropy": total[..., 0] - w.square().sum(-1),
        "every ln w is multiplied by its weight w": -w.clamp(min=1e-6).log().sum(-1),
        "exp of the entropy; the entropy itself is wanted": exact.exp(),
        "a row of zeros has entropy 0, not ln S": torch.where(empty, log_keys, exact),
    }
    if w.dim() > 1 and w.size(-1) == w.size(-2):
        mistakes["summed over the queries; the keys are the last dimension"] = torch.special.entr(
            w
        ).sum(-2)
    if torch.isnan(got).any():
        fail(
            f"{int(torch.isnan(got).sum())} of {got.numel()} entropies are NaN.",
            "0·ln 0 is 0·(−inf) = NaN for a computer: torch.xlogy gives 0, as wanted",
        )
    same(got, want, "the entropy", mistakes=mistakes, **NEAR)


@NOTEBOOK.exercise(points=3)
def attention_entropy(answer: Callable[..., Any]) -> str:
    """Compare with SciPy on rows with zeros, rows of zeros and rows of any sum."""
    for dtype in (torch.float32, torch.float64):
        weights = draw(2, 3, 4, 4, seed=71, dtype=dtype).softmax(-1)
        compare_entropy(answer, weights)
        compare_entropy(answer, weights[0, 0])
        weights[0, 0, 1] = torch.tensor([1.0, 0.0, 0.0, 0.0])
        weights[1, 2, 3] = torch.tensor([0.5, 0.5, 0.0, 0.0])
        weights[1, 1, 2] = 0
        compare_entropy(answer, weights)
        compare_entropy(answer, weights * 0.7)
    return "against SciPy: zeros, a row of zeros, rows that do not sum to one, both precisions"


# ------------------------------------------------------------------ ablation
def examine_ablation(
    answer: Callable[..., Any], head_dims: Any, seeds: Any, *, longest: int = 4
) -> None:
    """Run the ablation on a pretended training and compare calls and rows."""
    calls: list[tuple[Any, Any, Any]] = []
    dims, all_seeds = list(head_dims), list(seeds)

    def train_fn(head_dim: Any, scaled: Any, seed: Any) -> list[tuple[int, float]]:
        if isinstance(scaled, bool) and head_dim in dims and seed in all_seeds:
            calls.append((int(head_dim), scaled, int(seed)))
        elif not isinstance(scaled, bool) and isinstance(seed, bool):
            fail(
                f"train_fn was called with scaled={scaled!r} and seed={seed!r}.",
                "the order is train_fn(head_dim, scaled, seed)",
            )
        elif not isinstance(scaled, bool):
            fail(f"train_fn was called with scaled={scaled!r}.", "`scaled` is a bool: True, False")
        else:
            fail(
                f"train_fn was called with head_dim={head_dim!r}, seed={seed!r}; head_dims is "
                f"{dims}, seeds is {all_seeds}.",
                "each head_dim with each seed, as given; a pair, scaled and not, shares its seed",
            )
        return curve(int(head_dim), scaled, int(seed))

    def curve(head_dim: int, scaled: bool, seed: int) -> list[tuple[int, float]]:
        count = 1 + (head_dim + seed + scaled) % longest
        up = 0.1237 if scaled else -0.0719
        return [
            (25 * (i + 1) + head_dim, 0.5 + up * (i - (i > 1)) / longest + seed / 1e4)
            for i in range(count)
        ]

    table = call(answer, train_fn, head_dims, seeds)
    wanted = list(itertools.product(dims, (True, False), all_seeds))
    keys = [(int(d), s, int(r)) for d, s, r in wanted]
    if sorted(calls) != sorted(keys):
        repeated = sorted({c for c in calls if calls.count(c) > 1})
        absent = [c for c in keys if c not in calls]
        if repeated:
            fail(
                f"train_fn(head_dim, scaled, seed) was called more than once with {repeated[0]}.",
                "call it once per combination and keep what it returns",
            )
        fail(
            f"train_fn was called for {len(calls)} of {len(keys)} combinations; missing is "
            f"head_dim={absent[0][0]}, scaled={absent[0][1]}, seed={absent[0][2]}.",
            "every head_dim with every seed, once scaled and once not",
        )
    rows = [(*key, step, accuracy) for key in keys for step, accuracy in curve(*key)]
    _compare_rows(table, rows)


def _compare_rows(table: Any, rows: list[tuple[Any, ...]]) -> None:
    import pandas as pd

    columns = ["head_dim", "scaled", "seed", "step", "accuracy"]
    require(isinstance(table, pd.DataFrame), f"Expected a DataFrame, got {_kind(table)}.")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        fail(
            f"The table has no column {', '.join(missing)}; it has {list(map(str, table.columns))}"
            ".",
            "one column each for head_dim, scaled, seed, step and accuracy, none in the index",
        )
    if len(table) != len(rows):
        fail(
            f"Expected {len(rows)} rows, one per (step, accuracy) pair, got {len(table)}.",
            "keep every step of every run and every seed, not the last or a mean",
        )
    values = list(table[columns].itertuples(index=False, name=None))
    if any(isinstance(v, list | tuple | str | np.ndarray) for row in values for v in row):
        bad = next(
            v for row in values for v in row if isinstance(v, list | tuple | str | np.ndarray)
        )
        fail(
            f"A cell holds {bad!r:.60}; one number, or for `scaled` a bool, was expected.",
            "one row per (step, accuracy)",
        )

    def order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[float, ...]]:
        return sorted(tuple(float(v) for v in row) for row in rows)

    got, want = order(values), order(rows)
    for i, name in enumerate(columns):
        if not np.allclose(
            sorted(row[i] for row in got), sorted(row[i] for row in want), rtol=1e-9, atol=1e-9
        ):
            fail(
                f"The column {name} holds other values than train_fn was given or returned.",
                "values go into the table unchanged: no rounding, per cent, new numbering",
            )
    if not np.allclose(got, want, rtol=1e-9, atol=1e-9):
        i = next(i for i, (a, b) in enumerate(zip(got, want, strict=True)) if not np.allclose(a, b))
        fail(
            f"Expected a row {dict(zip(columns, want[i], strict=True))},\n"
            f"got {dict(zip(columns, got[i], strict=True))}.",
            "a curve stands beside the head_dim, scaled and seed of another run",
        )


@NOTEBOOK.exercise(points=3)
def scaling_ablation(answer: Callable[..., Any]) -> str:
    """Count the runs and compare every row."""
    examine_ablation(answer, [8, 32, 16], [0, 3])
    examine_ablation(answer, (4,), (7,))
    return "one run a combination, the same seed for both of a pair, every row"
