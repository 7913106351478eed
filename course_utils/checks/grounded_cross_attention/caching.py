"""Giving `attend_with_cache` one word after the other, beside attention over the whole sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import describe, fail, require
from course_utils.checks.grounded_cross_attention.cross_attention import random_normal

__all__ = ["cached_gradients", "one_word", "share_a_cache", "word_by_word"]

Cache = tuple[Tensor, Tensor]


def one_word(answer: Callable[..., Any], *inputs: Tensor, cache: Cache | None) -> Any:
    """Call the answer for one word; return ``(context, (keys, values))`` with kinds checked."""
    got = call(answer, *inputs) if cache is None else call(answer, *inputs, cache)
    require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Expected (context, (keys, values)), got {describe(got)}.",
        "return two things: the context, and the cache as a pair",
    )
    context, grown = got
    require(
        isinstance(grown, tuple | list) and len(grown) == 2,
        f"Expected the cache as a pair (keys, values), got {describe(grown)}.",
        "return `context, (keys, values)`",
    )
    for name, value in zip(("context", "keys", "values"), (context, *grown), strict=True):
        require(isinstance(value, Tensor), f"Expected {name} as a tensor, got {describe(value)}.")
    return context, tuple(grown)


def word_by_word(
    answer: Callable[..., Any],
    batch: int,
    heads: int,
    length: int,
    width: int,
    *,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> None:
    """Feed a sequence one word at a time; compare context and cache after each."""
    query, key, value = (
        random_normal(batch, heads, length, width, seed=seed + i, dtype=dtype) for i in range(3)
    )
    query = 2 * query  # so that the weights are far from even
    whole = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    cache: Cache | None = None
    for t in range(length):
        now = slice(t, t + 1)
        inputs = (query[:, :, now], key[:, :, now], value[:, :, now])
        context, cache = one_word(answer, *inputs, cache=cache)
        seen = f"word {t} of {length}"
        same(
            context,
            whole[:, :, now],
            f"the context of {seen}",
            mistakes=_contexts(query[:, :, now], key[:, :, : t + 1], value[:, :, : t + 1], heads),
        )
        wanted = {"keys": key[:, :, : t + 1], "values": value[:, :, : t + 1]}
        for place, (name, want) in enumerate(wanted.items()):
            other = wanted["values" if name == "keys" else "keys"]
            same(
                cache[place],
                want,
                f"the cached {name} after {seen}",
                rtol=0.0,
                atol=0.0,
                mistakes=_caches(want, other),
            )


def _contexts(query: Tensor, keys: Tensor, values: Tensor, heads: int) -> Mapping[str, Tensor]:
    """What common mistakes give as context; query (B, H, 1, d), keys and values (B, H, t, d)."""
    width = query.shape[-1]
    scores = query @ keys.mT

    def with_scale(scale: float) -> Tensor:
        return (scores * scale).softmax(-1) @ values

    right = 1 / math.sqrt(width)
    found = {
        "the scores are not divided by sqrt(d)": with_scale(1.0),
        "the scores are divided by d, not by its root": with_scale(1 / width),
        "d is the width of one head, the last size of the query": with_scale(
            1 / math.sqrt(width * heads)
        ),
        "the softmax goes over the keys, the last axis": values.sum(-2, keepdim=True),
        "the weights multiply the values, not the keys": (scores * right).softmax(-1) @ keys,
        "the cache is not read: the word looks at all before it too": values[:, :, -1:],
    }
    if keys.shape[-2] > 1:
        hint = (
            "the word looks at all before it and at itself: append first, then attend, without {}"
        )
        past = (scores[..., :-1] * right).softmax(-1) @ values[:, :, :-1]
        found[hint.format("a causal mask (one query would see the first key alone)")] = past
        found[hint.format("a causal mask")] = values[:, :, :1].expand_as(past)
    return found


def _caches(want: Tensor, other: Tensor) -> Mapping[str, Tensor]:
    """What common mistakes leave in the cache."""
    root = math.sqrt(want.shape[-1])
    newest_first = torch.cat([want[:, :, -1:], want[:, :, :-1]], dim=2)
    return {
        "the cache is (keys, values), in this order": other,
        "new entries go last": newest_first,
        "new entries go last ": want.flip(2),
        "only the newest word is kept: append it to the cache": want[:, :, -1:],
        "the newest word is not in the cache that is returned": want[:, :, :-1],
        "keys are cached as they come: scale the scores, not what is kept": want / root,
        "keys are cached as they come: scale the scores, not what is kept ": want / root**0.5,
        "append along the axis of the words, dim=2": torch.cat(
            [want[:, :, :1], want[:, :, 1:]], dim=1
        )
        if want.shape[2] == 2
        else want[..., :0],
    }


def share_a_cache(answer: Callable[..., Any], *, dtype: torch.dtype, seed: int) -> None:
    """Continue one cache in two ways: neither may notice the other."""
    words = [
        [random_normal(2, 3, 1, 4, seed=seed + 3 * n + i, dtype=dtype) for i in range(3)]
        for n in range(4)
    ]
    call(answer, *words[0], cache=None)
    cache: Cache | None = None
    for word in words[:2]:
        _, cache = one_word(answer, *word, cache=cache)
    assert cache is not None
    before = tuple(part.clone() for part in cache)
    _, first = one_word(answer, *words[2], cache=cache)
    kept = tuple(part.clone() for part in first)
    context, second = one_word(answer, *words[3], cache=cache)
    hint = (
        "make a new tensor with `torch.cat`; nothing is written into the cache that came in, and "
        "nothing is remembered between calls"
    )
    for old, new in zip((*before, *kept), (*cache, *first), strict=True):
        if old.shape != new.shape or not torch.equal(old, new):
            fail("Two continuations of one cache disturb each other.", hint)
    keys, values = (torch.cat([word[i] for word in (*words[:2], words[3])], dim=2) for i in (1, 2))
    want = F.scaled_dot_product_attention(words[3][0], keys, values)
    require(
        context.shape == want.shape
        and torch.allclose(context, want, rtol=1e-3, atol=1e-4)
        and torch.equal(second[0], keys)
        and torch.equal(second[1], values),
        "The second continuation of one cache does not go on from that cache.",
        hint,
    )


def cached_gradients(answer: Callable[..., Any], *, seed: int = 0) -> None:
    """Compare the gradients of all contexts with those of attention over the whole sequence."""
    length = 4
    whole = [
        random_normal(2, 2, length, 3, seed=seed + i, dtype=torch.float64).requires_grad_()
        for i in range(3)
    ]
    slope = random_normal(2, 2, length, 3, seed=seed + 9, dtype=torch.float64)
    want = torch.autograd.grad(
        (F.scaled_dot_product_attention(*whole, is_causal=True) * slope).sum(), whole
    )
    cache: Cache | None = None
    contexts = []
    for t in range(length):
        context, cache = one_word(answer, *(x[:, :, t : t + 1] for x in whole), cache=cache)
        contexts.append(context)
    hint = "`.detach()`, `.data` or `torch.no_grad()` cuts it; cached words learn too"
    loss = (torch.cat(contexts, dim=2) * slope).sum()
    require(loss.requires_grad, "No gradient flows through the context.", hint)
    got = torch.autograd.grad(loss, whole, allow_unused=True)
    for name, ours, theirs in zip(("query", "key", "value"), got, want, strict=True):
        if ours is None:
            fail(f"No gradient of the contexts reaches {name}.", hint)
        if not torch.allclose(ours, theirs, rtol=1e-5, atol=1e-8):
            fail(
                f"The gradient at {name}, cached words included, is not that of the formula.", hint
            )
