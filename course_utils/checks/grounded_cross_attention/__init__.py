"""Checks of notebook 02: grounded cross-attention."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from course_utils.checks.grounded_cross_attention.exercises import (
    LOSS_PARTS,
    NOTEBOOK,
    CrossAttention,
    ScriptedReader,
    ToyReader,
    attend_with_cache,
    attention_by_hand,
    cached_gradients,
    causal_mask,
    compare_part,
    compute_loss,
    exact_attention,
    gradients_arrive,
    greedy_decode,
    grounding_iou,
    label_leak,
    leak_case,
    loss_case,
    loss_example,
    loss_parts,
    one_word,
    patchify,
    pointing_game,
    python_float,
    redraw,
    refuses_heads,
    refuses_image,
    same_reports,
    share_a_cache,
    stays_in_bfloat16,
    summary,
    word_by_word,
)
from course_utils.checks.grounded_cross_attention.parts import COURSE_PARTS
from course_utils.checks.parts import choose_parts


def parts(namespace: Mapping[str, Any], *names: str) -> SimpleNamespace:
    """Give the parts of a report writer, the student's where they are right: see `choose_parts`."""
    return choose_parts(NOTEBOOK, COURSE_PARTS, namespace, *names)


def course_parts() -> SimpleNamespace:
    """Give the course's parts alone."""
    return SimpleNamespace(**COURSE_PARTS)
