"""Attention followed through the layers, and masks by time: worked cases and likely mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.checks.compare import same
from course_utils.checks.core import require
from course_utils.checks.icu_mortality.alone import call_alone

# ----------------------------------------------------------------------------- attention_rollout


def rolled(
    attentions: Sequence[Tensor],
    pooling: Tensor,
    is_event: Tensor,
    share: float = 0.5,
    own: float = 0.5,
) -> Tensor:
    """Score of each event: pooling times the layers' products, last layer first, (B, T)."""
    eye = torch.eye(pooling.shape[-1], dtype=pooling.dtype)
    row = pooling.mean(1)[:, None]  # (B, 1, T)
    for attention in reversed(attentions):
        row = row @ (share * attention.mean(1) + own * eye)
    return row[:, 0].masked_fill(~is_event, 0)


def _mistakes(attentions: list[Tensor], pooling: Tensor, is_event: Tensor) -> dict[str, Tensor]:
    right = rolled(attentions, pooling, is_event)
    turned = [a.transpose(-1, -2) for a in attentions]
    hidden = [a * is_event[:, None, None] * is_event[:, None, :, None] for a in attentions]
    mean = [torch.stack([a.mean(1) for a in attentions]).mean(0, keepdim=True).transpose(0, 1)]
    largest = [a.max(1, keepdim=True).values for a in attentions]
    return {
        "the layers stand in the wrong order: R is the last layer's matrix times … times the "
        "first's": rolled(attentions[::-1], pooling, is_event),
        "half of each layer is the residual path: (A + I) / 2": rolled(
            attentions, pooling, is_event, 1.0, 0.0
        ),
        "A + I is divided by 2": rolled(attentions, pooling, is_event, 1.0, 1.0),
        "the matrices are transposed: rows are the events that attend": rolled(
            turned, pooling, is_event
        ),
        "transposed, and in the wrong order": rolled(turned[::-1], pooling, is_event),
        "padding is set to zero in the score, not inside the product": rolled(
            hidden, pooling, is_event
        ),
        "nothing is renormalised": right / right.sum(-1, keepdim=True).clamp(min=1e-9),
        "the score at padding is 0": rolled(attentions, pooling, torch.ones_like(is_event)),
        "the layers are multiplied, not averaged": rolled(mean, pooling, is_event),
        "the mean over heads is wanted, not the largest": rolled(largest, pooling, is_event),
        "this is the pooling alone; the layers are missing": pooling.mean(1) * is_event,
        "the mean over the heads of the pooling is wanted, not their sum": right * pooling.shape[1],
        "the pooling is missing": rolled(attentions, torch.ones_like(pooling), is_event),
        "the mean over the rows of R is no pooling": rolled(
            attentions, torch.ones_like(pooling) / pooling.shape[-1], is_event
        ),
    }


def rollout_case(
    answer: Callable, seed: int, b: int, t: int, heads: Sequence[int], dtype: torch.dtype
) -> None:
    """One random case; the weights need not sum to one, and stand at padding too."""
    g = torch.Generator().manual_seed(seed)
    attentions = [torch.rand(b, h, t, t, generator=g, dtype=torch.float64) for h in heads]
    attentions = [(2 * a / t).to(dtype) for a in attentions]
    pooling = torch.rand(b, heads[0] + 1, t, generator=g, dtype=torch.float64).to(dtype)
    is_event = torch.rand(b, t, generator=g) < 0.7
    is_event[0, 0] = True
    if b > 2:
        is_event[1] = False
    got = call_alone(answer, attentions, pooling, is_event)
    want = rolled(attentions, pooling, is_event)
    half = dtype in (torch.bfloat16, torch.float16)
    same(
        got,
        want,
        f"the score, {len(heads)} layer{'s' * (len(heads) > 1)}, B={b}, T={t}",
        rtol=0.1 if half else None,
        atol=0.02 if half else None,
        mistakes={} if half else _mistakes(attentions, pooling, is_event),
    )


def rollout_by_hand(answer: Callable) -> None:
    """Two events, one layer: an event that is looked at through another one."""
    attention = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    pooling = torch.tensor([[[0.8, 0.2]]])
    both = torch.ones(1, 2, dtype=torch.bool)
    got = call_alone(answer, [attention], pooling, both)
    # Â = [[.5, .5], [0, 1]]: half of what is pooled at the first place came from the second
    want = torch.tensor([[0.4, 0.6]])
    words = "the score of two events, the first of which copies the second"
    same(got, want, words, mistakes=_mistakes([attention], pooling, both))


# --------------------------------------------------------------------------- causal_by_time_mask


def known(minutes: Tensor, is_event: Tensor) -> Tensor:
    """Which key is known at which query, by plain loops, (B, 1, T, T) bool."""
    b, t = is_event.shape
    mask = torch.zeros(b, 1, t, t, dtype=torch.bool)
    for row in range(b):
        times = minutes[row].tolist()
        for q in range(t):
            for k in range(t):
                both = bool(is_event[row, q] and is_event[row, k])
                mask[row, 0, q, k] = both and times[k] <= times[q]
    return mask


def time_mask_case(answer: Callable, minutes: Tensor, is_event: Tensor, words: str) -> None:
    """One case, with the mistakes that it can tell."""
    got = call_alone(answer, minutes, is_event)
    want = known(minutes, is_event)
    every = torch.ones_like(is_event)
    keys, queries = is_event[:, None, None], is_event[:, None, :, None]
    place = torch.ones(want.shape[-2:], dtype=torch.bool).tril()
    earlier = want & ~want.transpose(-1, -2) | torch.diag_embed(is_event)[:, None]
    anyhow = known(minutes, every)
    mistakes = {
        "events of the same minute see each other: <=, not <": earlier,
        "strictly earlier events alone: an event sees itself and its own instant": want
        & ~want.transpose(-1, -2),
        "rows are queries, columns are keys: this is the transpose": want.transpose(-1, -2),
        "the place in the sequence counts here, not the minute": place & keys & queries,
        "a padded query may attend": anyhow & keys,
        "padding may be attended to": anyhow & queries,
        "padding is not left out": anyhow,
        "True means may attend": ~want,
        "minutes are compared as they are: a conversion or a difference rounds or wraps": got
        if torch.is_tensor(got) and got.shape == want.shape
        else ~want,
    }
    require(torch.is_tensor(got), f"Expected a tensor, got {type(got).__name__}.")
    require(
        got.dtype == torch.bool,
        f"Expected dtype torch.bool, got {got.dtype}.",
        "True = may attend; nothing is added to the scores here",
    )
    shape = "(B, 1, T, T): one mask for all heads, so a 1 stands at their place"
    require(
        got.shape == want.shape,
        f"Expected the shape {tuple(want.shape)}, got {tuple(got.shape)}.",
        shape if got.dim() == 3 else None,
    )
    same(got, want, f"the mask ({words})", mistakes=mistakes)


def time_mask_kinds(answer: Callable) -> None:
    """Any real dtype, exactly; whatever stands at padding."""
    real = torch.tensor([[True, True, False, True], [True, True, True, True]])
    plain = torch.tensor([[5, 5, 0, 2], [3, 120, 9, 9]])
    for dtype in (torch.uint8, torch.int8, torch.int64, torch.float16, torch.float64):
        time_mask_case(answer, plain.to(dtype), real, f"{dtype} minutes".replace("torch.", ""))
    apart = 2**53 + torch.tensor([[0, 1, 0, 3], [1, 0, 3, 2]])
    time_mask_case(answer, apart, real, "integers above 2^53")
    close = torch.tensor([[0.0, 1e-9, 0, 2e-9], [0.0, -1e-9, 0.0, 1e-9]], dtype=torch.float64)
    time_mask_case(answer, 100 + 1000 * close, real, "times a millionth of a minute apart")
    time_mask_case(answer, -plain.float(), real, "negative minutes")
    for junk in (torch.nan, torch.inf, -torch.inf, -1e30):
        minutes = plain.float()
        minutes[0, 2] = junk
        time_mask_case(answer, minutes, real, f"{junk:g} at padding")
