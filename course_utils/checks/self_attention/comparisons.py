"""Comparing attention, pooling and entropy with torch and SciPy, and naming the mistake."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail, require
from course_utils.checks.tensors import draw, gradients, options

__all__ = [
    "NEAR",
    "ROUGH",
    "attend",
    "compare_attention",
    "compare_attention_gradients",
    "compare_entropy",
    "compare_entropy_gradient",
    "compare_pooling",
    "kind_of",
    "pair",
    "same_shape",
]

NEAR: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
ROUGH: dict[str, Any] = {"rtol": 0.03, "atol": 0.03}  # for half precision


def pair(result: object, names: str) -> tuple[Any, Any]:
    """Unpack a pair that an answer returned, or fail saying what came."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        fail(
            f"Expected two values, {names}, got {kind_of(result)}.", f"`return {names}` is missing"
        )
    return result[0], result[1]


def kind_of(value: object) -> str:
    size = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"a {type(value).__name__}{size}{shape}"


def same_shape(got: Any, want: Tensor, what: str, hint: str) -> None:
    """Fail unless ``got`` is a tensor of the shape of ``want``, with a hint of its own."""
    if isinstance(got, Tensor) and got.shape != want.shape:
        fail(f"Expected {what} with shape {tuple(want.shape)}, got shape {tuple(got.shape)}.", hint)
    if not isinstance(got, Tensor):
        fail(f"Expected {what} as a tensor of shape {tuple(want.shape)}, got {kind_of(got)}.", hint)


def attend(
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
        return attend(q, k, v, keep, scale)[1]

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
            "masked scores are filled with a number above some real scores: take minus infinity or "
            "torch.finfo(scores.dtype).min": torch.where(
                keep, scores, torch.full_like(scores, -1e4)
            ).softmax(-1)
            * keep,
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
    given: dict[str, Any] = {} if mask is None and scale is None else {"attn_mask": mask}
    given |= {} if scale is None else {"scale": scale}
    args, named = options(answer, **given)
    context, weights = pair(call(answer, q, k, v, *args, **named), "context, weights")
    want_context, want_weights = attend(q, k, v, mask, scale)
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
    near = {torch.float64: NEAR, torch.float32: {"rtol": 1e-4, "atol": 1e-5}}.get(q.dtype, ROUGH)
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


def compare_attention_gradients(
    answer: Callable[..., Any], q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
) -> None:
    """Compare the gradients of query, key and value, through context and through weights."""
    q, k, v = (x.clone().requires_grad_() for x in (q, k, v))
    args, named = options(answer, **({} if mask is None else {"attn_mask": mask}))
    got = pair(call(answer, q, k, v, *args, **named), "context, weights")
    want = attend(q, k, v, mask, None)
    for name, one, two, inputs in (
        ("the context", got[0], want[0], (q, k, v)),
        ("the weights", got[1], want[1], (q, k)),
    ):
        slope = draw(*two.shape, seed=5, dtype=two.dtype)
        found = gradients((one * slope).sum(), inputs, name)
        expected = torch.autograd.grad((two * slope).sum(), inputs, retain_graph=True)
        for letter, a, b in zip(("query", "key", "value"), found, expected, strict=False):
            same(a, b, f"the gradient of {letter} through {name}", rtol=1e-4, atol=1e-5)


def compare_pooling(answer: Callable[..., Any], x: Tensor, is_token: Tensor) -> Tensor:
    """Compare a masked mean with the plain mean of each row's tokens; return what came."""
    rows = [
        row[keep].mean(0) if keep.any() else row.new_zeros(row.size(-1))
        for row, keep in zip(x.detach(), is_token, strict=True)
    ]
    want = torch.stack(rows)
    near = NEAR if x.dtype in (torch.float32, torch.float64) else ROUGH
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
        **near,
    )
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


def compare_entropy_gradient(answer: Callable[..., Any], weights: Tensor) -> None:
    """Compare the gradient through the softmax, where the answer keeps torch's graph at all."""
    leaf = weights.log().requires_grad_()
    spread = leaf.softmax(-1).clone()  # what the answer writes into it is told elsewhere
    want = torch.autograd.grad(torch.special.entr(spread).sum(), leaf, retain_graph=True)[0]
    try:
        got = call(answer, spread)
    except CheckFailed:  # NumPy refuses a tensor that wants a gradient; its values count
        return
    if isinstance(got, Tensor) and got.requires_grad:
        found = gradients(got.sum(), [leaf], "the entropy")[0]
        same(found, want, "the gradient of the scores", rtol=1e-3, atol=1e-5)


def compare_entropy(answer: Callable[..., Any], weights: Tensor) -> None:
    """Compare an entropy with SciPy's ``entr``, which knows that 0·ln 0 = 0."""
    from scipy.special import entr

    want = torch.from_numpy(np.asarray(entr(weights.double().numpy()).sum(-1))).to(weights.dtype)
    got = call(answer, weights)
    require(
        isinstance(got, Tensor),
        f"Expected a tensor, got {kind_of(got)}.",
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
    near = {"rtol": 1e-5, "atol": 1e-5}  # the tolerance that the text states
    if weights.dtype not in (torch.float32, torch.float64):
        near = ROUGH
    same(got, want, "the entropy", mistakes=mistakes, **near)
