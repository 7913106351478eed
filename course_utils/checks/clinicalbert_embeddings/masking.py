"""What notebook 04 asks of masking: which tokens, what becomes of them, by whose dice."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.registry import NOTEBOOK
from course_utils.checks.core import describe, fail, require
from course_utils.checks.tensors import numbers, options

__all__ = [
    "assert_dice",
    "assert_fates",
    "assert_independent",
    "assert_share",
    "assert_uniform",
    "mask_tokens",
    "masked_pair",
]

IGNORED = -100
ERRORS = 4.0  # standard errors that a share may lie off


def near(hits: float, n: int, share: float) -> bool:
    """Whether ``hits`` of ``n`` lie within four standard errors of a share, or within one."""
    return abs(hits - n * share) <= max(1.0, ERRORS * math.sqrt(n * share * (1 - share)))


def masked_pair(
    answer: Any,
    ids: Tensor,
    special: Tensor,
    *,
    mask_id: int = 4,
    vocab_size: int = 1000,
    generator: torch.Generator | None = None,
    share: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Call an answer; fail unless what it returns is (inputs, labels) as they may look at all."""
    dice = numbers(31) if generator is None else generator
    args, kwargs = ((), {}) if share is None else options(answer, share=share)
    got = call(answer, ids, special, mask_id, vocab_size, dice, *args, **kwargs)
    require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Expected (inputs, labels), got {describe(got)}.",
        "is there a `return inputs, labels`?",
    )
    for value, name in zip(got, ("inputs", "labels"), strict=True):
        require(
            isinstance(value, Tensor) and value.shape == ids.shape,
            f"Expected {name} as a tensor {tuple(ids.shape)}, got {describe(value)}.",
        )
        require(
            value.dtype == torch.int64,
            f"Expected {name} as int64, got {value.dtype}.",
            "token ids are whole numbers: `torch.where` with a float makes floats",
        )
        require(
            value.untyped_storage().data_ptr() != ids.untyped_storage().data_ptr(),
            f"The {name} share their memory with the input.",
            "`.clone()` first, also when nothing is masked",
        )
    inputs, labels = got
    chosen = labels != IGNORED
    require(
        bool((labels[chosen] == ids[chosen]).all()),
        f"A label is neither the original id nor {IGNORED}.",
        "labels are what stood there before the masking"
        if bool((labels[chosen] == inputs[chosen]).all())
        else f"where nothing is to be predicted the label is {IGNORED}, which the loss leaves out",
    )
    require(
        not bool(chosen[special].any()),
        f"{int(chosen[special].sum())} special tokens have a label.",
        "every token has a label: the label is -100 where nothing is to be predicted"
        if bool(chosen.all())
        else "`[CLS]`, `[SEP]` and padding are never chosen: `& ~special`",
    )
    require(
        bool((inputs[~chosen] == ids[~chosen]).all()),
        "A token without a label was replaced.",
        "masked, replaced or kept: that is drawn among the chosen alone",
    )
    return inputs, labels


def assert_share(answer: Any, share: float | None, *, shape: tuple[int, int], seed: int) -> None:
    """Fail unless the wanted share of the tokens that are not special is chosen."""
    ids, special = notes(shape, seed)
    _inputs, labels = masked_pair(answer, ids, special, generator=numbers(seed), share=share)
    wanted, n = (0.15 if share is None else share), int((~special).sum())
    hits = int((labels != IGNORED).sum())
    hint = None
    if near(hits, n, 0.8 * wanted):
        hint = "only the masked tokens have a label; the replaced and the kept are predicted too"
    elif near(hits, n, 0.9 * wanted):
        hint = "the chosen tokens that stay as they are have a label too"
    elif share is not None and near(hits, n, 0.15):
        hint = "`share` says how many; 0.15 is only its default"
    elif hits in (0, n):
        hint = "all or nothing: the comparison of a random number with `share` does not take part"
    elif near(hits, n, 1 - wanted):
        hint = "the comparison is turned round: chosen is what falls below `share`"
    elif share is None:
        hint = "the default of `share` is 0.15, and `torch.rand` draws evenly between 0 and 1"
    require(
        near(hits, n, wanted),
        f"With share={wanted} {hits / max(n, 1):.3f} of the {n:,} ordinary tokens were chosen.",
        hint,
    )


def assert_fates(
    answer: Any, *, shape: tuple[int, int], seed: int, mask_id: int = 4, vocab_size: int = 1000
) -> None:
    """Fail unless 80, 10 and 10 % of the chosen are masked, replaced and kept."""
    ids, special = notes(shape, seed, vocab_size)
    inputs, labels = masked_pair(
        answer, ids, special, generator=numbers(seed), mask_id=mask_id, vocab_size=vocab_size
    )
    chosen = (labels != IGNORED) & (ids != mask_id)
    n = int(chosen.sum())
    require(n > 0, "No token was chosen.")
    became, was = inputs[chosen], ids[chosen]
    masked, kept = int((became == mask_id).sum()), int((became == was).sum())
    seen = (masked / n, 1 - (masked + kept) / n, kept / n)
    by_chance = 0.1 / vocab_size  # a random id may be the mask or the old one
    hints = {
        "one random number decides both whether and what: below 0.15 it is always below 0.8": (
            seen[0] > 0.99
        ),
        "every chosen token is replaced by something; a tenth stays as it is": seen[2] < 0.02,
        "10 % of all chosen, not of those that are not masked": 0.004 < seen[1] < 0.05
        or 0.004 < seen[2] < 0.05,
        "no chosen token became another word": seen[1] < 0.004,
        "80 % become the mask, and the other 20 % are shared evenly": seen[0] < 0.5,
    }
    right = near(masked, n, 0.8 + by_chance) and near(kept, n, 0.1 + by_chance)
    require(
        right,
        f"Of {n:,} chosen tokens {seen[0]:.3f} became the mask, {seen[1]:.3f} another id and "
        f"{seen[2]:.3f} stayed.",
        next((words for words, fits in hints.items() if fits), None),
    )


def assert_uniform(answer: Any, *, seed: int, vocab_size: int = 12, mask_id: int = 4) -> None:
    """Fail unless the replacements are drawn from the whole vocabulary, each id alike."""
    old = 5
    ids = torch.full((300, 200), old)
    nothing = torch.zeros(300, 200, dtype=torch.bool)
    inputs, _labels = masked_pair(
        answer,
        ids,
        nothing,
        vocab_size=vocab_size,
        mask_id=mask_id,
        generator=numbers(seed),
        share=1.0,
    )
    n = ids.numel()
    counts = torch.bincount(inputs.flatten().clamp(min=0), minlength=vocab_size)
    require(
        len(counts) == vocab_size and int(inputs.min()) >= 0,
        f"Ids from {int(inputs.min())} to {int(inputs.max())} with vocab_size={vocab_size}.",
        "`torch.randint` leaves its upper bound out: `randint(0, vocab_size, ...)`",
    )
    for number in range(vocab_size):
        share = 0.1 / vocab_size + {mask_id: 0.8, old: 0.1}.get(number, 0.0)
        require(
            near(int(counts[number]), n, share),
            f"Of {n:,} tokens, all the id {old}, {int(counts[number]):,} became the id {number}; "
            f"about {n * share:,.0f} are right.",
            "a random id comes from 0 to vocab_size - 1, each alike, special ids and the mask too"
            if number not in (mask_id, old)
            else None,
        )


def assert_independent(answer: Any, *, seed: int) -> None:
    """Fail when the draws of one row, or of one column, hang together."""
    rows = 400
    ids, nothing = torch.full((rows, rows), 7), torch.zeros(rows, rows, dtype=torch.bool)
    inputs, labels = masked_pair(answer, ids, nothing, generator=numbers(seed), share=0.5)
    for what, hit in (
        ("chosen", labels != IGNORED),
        ("masked", inputs == 4),
        ("replaced", (inputs != 4) & (inputs != 7)),
    ):
        share = float(hit.double().mean())  # how large it is asked elsewhere
        if share in (0.0, 1.0):
            continue
        for line, dim in (("column", 0), ("row", 1)):
            counts = hit.double().sum(dim)
            ratio = float(counts.var()) / (rows * share * (1 - share))
            slack = 5.0 * math.sqrt(2.0 / rows)
            require(
                abs(ratio - 1) < slack,
                f"How many tokens are {what} varies {ratio:.2f} times as much from {line} to "
                f"{line} as independent draws do.",
                "a fixed number a row: each position is drawn for itself"
                if ratio < 1
                else f"one draw for a whole {line}: draw a tensor of the shape of `input_ids`",
            )
    words = inputs[(inputs != 4) & (inputs != 7)]
    most = torch.bincount(words.clamp(min=0)).max() if len(words) else torch.tensor(0)
    require(
        int(most) < 0.05 * max(len(words), 1),
        f"{int(most)} of {len(words)} replacements are the same id.",
        "one random id for all: draw one a position",
    )


def assert_dice(answer: Any, *, seed: int) -> None:
    """Fail unless the generator that is handed over, and it alone, decides."""
    ids, special = notes((40, 60), seed)

    def once(dice: torch.Generator, noise: int) -> Tensor:
        torch.manual_seed(noise)
        return torch.stack(masked_pair(answer, ids, special, generator=dice))

    dice = numbers(seed)
    first, second = once(dice, 1), once(dice, 1)
    require(
        bool((first == once(numbers(seed), 2)).all()),
        "The same generator state gave two different maskings.",
        "global random numbers: hand `generator=generator` to every `torch.rand` and `randint`",
    )
    require(
        not bool((first == second).all()),
        "A generator used twice gave the same masking twice.",
        "it is advanced and never seeded anew (nor copied) inside: every epoch masks anew",
    )
    ahead = numbers(seed)
    torch.rand(1000, generator=ahead)
    require(
        not bool((first == once(ahead, 1)).all()),
        "A generator further on gave the same masking as a fresh one.",
        "it is not the seed that is handed over but a generator: draw from it",
    )
    for part, name in ((0, "what became of them"), (1, "which tokens were chosen")):
        other = once(numbers(seed + 1), 1)
        require(
            not bool((first[part] == other[part]).all()),
            f"Another seed changed nothing in {name}.",
        )


def notes(shape: tuple[int, int], seed: int, vocab_size: int = 1000) -> tuple[Tensor, Tensor]:
    """Token ids with [CLS], [SEP] and padding, and which of them are special."""
    rows, length = shape
    dice = numbers(seed)
    ids = torch.randint(5, vocab_size, shape, generator=dice)
    behind = torch.randint(length // 2, length + 1, (rows, 1), generator=dice)
    place = torch.arange(length)
    special = (place == 0) | (place >= behind - 1)
    ids[:, 0] = 2
    ids[place.expand(shape) == behind - 1] = 3
    ids[place.expand(shape) >= behind] = 0
    return ids, special


@NOTEBOOK.exercise(points=5)
def mask_tokens(answer: Any) -> str:
    """Check the masking of tokens."""
    ids, special = notes((300, 200), 51)
    masked_pair(answer, ids, special)
    assert_independent(answer, seed=56)
    assert_share(answer, None, shape=(300, 200), seed=52)
    assert_share(answer, 0.5, shape=(100, 100), seed=53)
    assert_fates(answer, shape=(600, 300), seed=54)
    assert_uniform(answer, seed=55)
    assert_dice(answer, seed=57)
    for share, what in ((0.0, "nothing"), (1.0, "everything")):
        _inputs, labels = masked_pair(answer, ids, special, share=share)
        if bool(((labels != IGNORED) == (~special & (share == 1.0))).all()):
            continue
        fail(f"share={share} should choose {what} but special tokens.")
    return (
        "which are chosen, labels and -100, 80/10/10, ids from the whole vocabulary, independent "
        "draws, the generator alone, special tokens, the input left alone"
    )
