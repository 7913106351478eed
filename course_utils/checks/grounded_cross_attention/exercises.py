"""Visible checks of notebook 02: grounded cross-attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import require
from course_utils.checks.grounded_cross_attention.caching import (
    cached_gradients,
    one_word,
    share_a_cache,
    word_by_word,
)
from course_utils.checks.grounded_cross_attention.cross_attention import (
    attend,
    attention_by_hand,
    exact_attention,
    gradients_arrive,
    keeps_to_itself,
    random_normal,
    redraw,
    refuses,
    refuses_heads,
    stays_in_bfloat16,
)
from course_utils.checks.grounded_cross_attention.decoding import (
    follows_the_images,
    keeps_mode_when_it_fails,
    leak_case,
    same_reports,
)
from course_utils.checks.grounded_cross_attention.pointing import (
    examine_iou,
    examine_pointing,
    python_float,
)
from course_utils.checks.grounded_cross_attention.report_loss import (
    WORKED_LOSS,
    compare_part,
    loss_case,
    loss_example,
    loss_gradients,
    loss_parts,
)
from course_utils.checks.grounded_cross_attention.toy_readers import ScriptedReader, ToyReader
from course_utils.checks.notebook import Notebook

__all__ = [
    "LOSS_PARTS",
    "NOTEBOOK",
    "ScriptedReader",
    "ToyReader",
    "attend_with_cache",
    "attention_by_hand",
    "cached_gradients",
    "causal_mask",
    "compare_part",
    "compute_loss",
    "exact_attention",
    "gradients_arrive",
    "greedy_decode",
    "grounding_iou",
    "label_leak",
    "leak_case",
    "loss_case",
    "loss_example",
    "loss_parts",
    "one_word",
    "patchify",
    "pointing_game",
    "python_float",
    "redraw",
    "refuses_heads",
    "refuses_image",
    "same_reports",
    "share_a_cache",
    "stays_in_bfloat16",
    "summary",
    "word_by_word",
]

NOTEBOOK = Notebook("02_grounded_cross_attention", written=5)
LOSS_PARTS = ("cross_entropy", "grounding", "entropy", "total")


# --------------------------------------------------------------------------------------- patchify


@NOTEBOOK.exercise(points=4)
def patchify(answer: Callable[..., Tensor]) -> str:
    """Compare with `torch.nn.functional.unfold`."""
    images = random_normal(2, 3, 8, 12)
    want = F.unfold(images, 4, stride=4).transpose(1, 2)  # (B, N, C*P*P)
    by_column = F.unfold(images.transpose(2, 3), 4, stride=4).transpose(1, 2)
    inside = by_column.reshape(2, 6, 3, 4, 4).transpose(3, 4).reshape(2, 6, 48)
    blocks = want.reshape(2, 6, 3, 4, 4)
    same(
        call(answer, images, 4),
        want,
        "the patches",
        mistakes={
            "the images were reshaped without cutting them: a patch is a square, not a stretch of "
            "memory": images.reshape(2, 6, 48),
            "patches run from top to bottom first; go left to right, then down": inside,
            "inside a patch the channels come last; the order is (C, row, column)": blocks.permute(
                0, 1, 3, 4, 2
            ).reshape(2, 6, 48),
            "rows and columns are swapped inside each patch": blocks.transpose(3, 4).reshape(
                2, 6, 48
            ),
        },
    )
    whole = random_normal(1, 1, 5, 5, seed=1, dtype=torch.float64)
    same(call(answer, whole, 5), whole.reshape(1, 1, 25), "one patch that is the whole image")
    strided = random_normal(2, 6, 4, 3, seed=2).permute(0, 3, 1, 2)
    same(
        call(answer, strided, 2),
        F.unfold(strided, 2, stride=2).transpose(1, 2),
        "the patches of a non-contiguous image",
    )
    refuses_image(answer, 10, 12, 4)
    refuses_image(answer, 12, 10, 4)
    return "row-major order, channels, images that are not square, float32 and float64, the error"


def refuses_image(answer: Callable[..., Tensor], height: int, width: int, patch_size: int) -> None:
    """Fail unless the answer raises a `ValueError` that names both sides and the patch size."""
    images = torch.zeros(1, 1, height, width)
    case = f"an image of {height} x {width} with patch_size={patch_size}"
    refuses(
        lambda: answer(images, patch_size),
        case,
        {
            "H": rf"(?<!\d){height}(?!\d)|height|\bh\b",
            "W": rf"(?<!\d){width}(?!\d)|width|\bw\b",
            "patch_size": rf"(?<!\d){patch_size}(?!\d)|patch",
        },
        "test H and W each with `% patch_size`; H*W alone hides a side that does not fit",
    )


# --------------------------------------------------------------------------------- CrossAttention


@NOTEBOOK.exercise(points=6, forbids=("MultiHeadAttention", "DecoderBlock"))
def CrossAttention(answer: type[nn.Module]) -> str:
    """Check values with known parameters, and properties with random ones."""
    exact_attention(answer, 16, 2, dtype=torch.float64)
    exact_attention(answer, 12, 3, dtype=torch.float32, seed=4)
    module = call(answer, 16, 4)
    text, image = random_normal(2, 3, 16), random_normal(2, 5, 16, seed=1)
    redraw(module)
    mask = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) > 0.4
    mask[1] = False  # one query may look at nothing
    attention_by_hand(module, text, image, 4, mask)
    attention_by_hand(module, text, image, 4)
    out, weights = attend(module, text, image, 4)
    order = torch.tensor([3, 0, 4, 1, 2])
    moved, moved_weights = attend(module, text, image[:, order], 4)
    same(moved, out, "the output after shuffling the patches", rtol=1e-3, atol=1e-5)
    same(moved_weights, weights[..., order], "the weights after shuffling the patches", atol=1e-5)
    changed = text.clone()
    changed[:, 0] += 1
    after = attend(module, changed, image, 4)[0]
    same(
        after[:, 1:],
        out[:, 1:],
        "the output of the other words after one word changed",
        rtol=1e-3,
        atol=1e-5,
    )
    keeps_to_itself(answer, text, image)
    stays_in_bfloat16(module, text, image, 4)
    gradients_arrive(module, text, image)
    gradients_arrive(module, text, image, mask)
    refuses_heads(answer, 10, 4)
    return (
        "scale, four projections with bias, masks, gradients of output and weights, float32, "
        "float64, bfloat16, the error"
    )


# ------------------------------------------------------------------------------------ causal_mask


@NOTEBOOK.exercise(points=2, forbids=("causal_mask",))
def causal_mask(answer: Callable[..., Tensor]) -> str:
    """Compare with `torch.tril` and with torch's own decoder mask."""
    for length in (4, 1):
        got = call(answer, length)
        want = nn.Transformer.generate_square_subsequent_mask(length)[None, None] == 0
        same(
            got,
            want,
            f"the mask for length {length}",
            mistakes={
                "True and False are swapped: True means *may attend*": ~want,
                "it is mirrored: position t attends to 0..t, the past and itself": want.mT,
                "position t may attend to itself as well": want.tril(-1),
                "the shape is (1, 1, T, T), so that it broadcasts over batch and heads": want[0, 0],
            },
        )
    require(got.device.type == "cpu", f"Without device the mask is on {got.device}, wanted cpu.")
    same(call(answer, 3, torch.device("cpu")), torch.ones(1, 1, 3, 3).tril().bool(), "the mask")
    return "shape, bool, values for lengths 1 and 4, the device argument"


# ------------------------------------------------------------------------------------- label_leak


@NOTEBOOK.exercise(points=6)
def label_leak(answer: Callable[..., bool]) -> str:
    """Judge small models that look ahead in known places, or nowhere."""
    leak_case(
        answer,
        ToyReader(dropout=0.5).train(),
        False,
        "A model that looks at tokens 0..t only",
        "compare position t only with changes at s > t, in evaluation mode",
    )
    everywhere = {(t, s): 0.5 for t in range(6) for s in range(t + 1, 6)}
    leak_case(
        answer,
        ToyReader(everywhere).train(),
        True,
        "A model without a causal mask",
        "replace a later token by another word and compare the logits before it",
    )
    leak_case(
        answer,
        ToyReader({(0, 1): 0.5}).eval(),
        True,
        "A model in which only position 0 sees token 1",
        "try every later token, not only the last one",
    )
    leak_case(
        answer,
        ToyReader({(0, 5): 0.5}).eval(),
        True,
        "A model in which only position 0 sees token 5",
        "compare all earlier positions, not only the one just before",
    )
    leak_case(
        answer,
        ToyReader({(2, 3): 0.5}, only_report=1.0).eval(),
        True,
        "A model that looks ahead in the third report only",
        "look at every report of the batch",
    )
    leak_case(
        answer,
        ToyReader({(2, 3): 5e-5}, only_report=1.0).eval(),
        True,
        "A model in which one report hears of the next word, barely",
        "any single logit counts, not the mean over all of them or the arg max; or a coarser limit",
    )
    leak_case(
        answer,
        ToyReader(shift=-100.0).eval(),
        False,
        "A causal model whose logits are all negative",
        "the limit is 1e-5 times the largest *absolute* logit, and the logits stay as they are",
    )
    leak_case(
        answer,
        ToyReader(everywhere, shift=-0.5, scale=0.0).eval(),
        False,
        "A model whose logits are all 0",
        "more than the limit: a change of 0 is none",
    )
    one = torch.tensor([[3], [1]])
    leak_case(
        answer,
        ToyReader(everywhere),
        False,
        "Reports of one token",
        "there is no later token",
        tokens=one,
    )
    keeps_mode_when_it_fails(answer)
    return (
        "a causal model with dropout, leaks in one place or one report, negative logits, T = 1, "
        "mode, no gradients"
    )


# ----------------------------------------------------------------------------------- compute_loss


@NOTEBOOK.exercise(points=dict(zip(LOSS_PARTS, (3, 4, 2, 1), strict=True)))
def compute_loss(answer: Callable[..., Any], part: str) -> str:
    """Compare one part with a worked example, in both precisions, and look where gradients go."""
    require(part in LOSS_PARTS, f"part must be one of {LOSS_PARTS}, got {part!r}")
    for dtype in (torch.float32, torch.float64):
        batch = loss_example(dtype)
        logits, weights = batch["logits"].requires_grad_(), batch["attn_weights"]
        weights = [w.requires_grad_() for w in weights]
        inputs = (logits, batch["token_ids"], weights, batch["finding_masks"])
        losses = loss_parts(call(answer, *inputs, lambda_ground=1.0, lambda_entropy=1.0), dtype)
        value = losses[("total", "cross_entropy", "grounding", "entropy").index(part)]
        right, *mistakes = WORKED_LOSS[part].items()
        same(
            value,
            torch.tensor(right[1], dtype=dtype),
            right[0],
            rtol=1e-4,
            atol=1e-5,
            mistakes={words: torch.tensor(number, dtype=dtype) for words, number in mistakes},
        )
        loss_gradients(value, logits, weights, part)
    compare_part(answer, part, seed=50, dtype=torch.float64)
    if part == "total":
        batch = loss_example()
        value = loss_parts(call(answer, *batch.values()), torch.float32)[0]
        want = sum(
            factor * next(iter(WORKED_LOSS[name].values()))
            for name, factor in zip(LOSS_PARTS, (1.0, 0.1, 0.01), strict=False)
        )
        same(value, torch.tensor(want), "the total with the default lambdas", rtol=1e-4, atol=1e-5)
    return "a worked batch in float32 and float64, and the way the gradient takes"


# ---------------------------------------------------------------------------------- greedy_decode


@NOTEBOOK.exercise(points=6)
def greedy_decode(answer: Callable[..., Tensor]) -> str:
    """Decode a model that says what its image holds, and nonsense after a wrong prefix."""
    scripts = [
        [1, 5, 2, 9, 9, 9, 9, 9, 9],
        [1, 4, 6, 7, 8, 2, 9, 9, 9],
        [1, 3, 3, 4, 4, 5, 5, 6, 6],
    ]
    want = [[1, 5, 2], [1, 4, 6, 7, 8, 2], [1, 3, 3, 4, 4, 5, 5, 6]]
    same_reports(answer, ScriptedReader().eval(), scripts, want, 8)
    same_reports(answer, ScriptedReader(dropout=0.5).train(), scripts, want, 8)
    same_reports(answer, ScriptedReader().eval(), scripts[:2], want[:2], 8)
    same_reports(answer, ScriptedReader().eval(), scripts, [[1], [1], [1]], 1)
    follows_the_images(answer)
    keeps_mode_when_it_fails(answer, 1, 2, 4)
    return (
        "rows that end early, late and never, padding after eos, mode, no gradients, device, "
        "max_len = 1"
    )


# ------------------------------------------------------------------------------ attend_with_cache


@NOTEBOOK.exercise(points=5)
def attend_with_cache(answer: Callable[..., Any]) -> str:
    """Feed sequences word by word, beside torch's attention over the whole of them."""
    word_by_word(answer, 2, 3, 4, 5, dtype=torch.float64)
    word_by_word(answer, 1, 1, 3, 2, dtype=torch.float32, seed=10)
    share_a_cache(answer, dtype=torch.float64, seed=20)
    cached_gradients(answer, seed=30)
    return (
        "contexts and caches word by word in float32 and float64, two continuations of one cache, "
        "gradients"
    )


# ------------------------------------------------------------------- pointing_game, grounding_iou


@NOTEBOOK.exercise(points=4)
def pointing_game(answer: Callable[..., float]) -> str:
    """Worked examples."""
    examine_pointing(answer)
    return "hits and misses, tokens without mask, bool and float masks, any scale, nan"


@NOTEBOOK.exercise(points=5)
def grounding_iou(answer: Callable[..., float]) -> str:
    """Worked examples."""
    examine_iou(answer)
    return "sets of different size, keep 0.5, 0.9 and 1, rows of any sum, empty rows, nan"


summary = NOTEBOOK.summary
