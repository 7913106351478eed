"""Checks of notebook 01: self-attention on clinical notes."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from course_utils.checks.parts import choose_parts
from course_utils.checks.self_attention.exercises import (
    NOTEBOOK,
    EncoderBlock,
    MultiHeadSelfAttention,
    TokenEmbedding,
    WatchedModel,
    apply_rotary,
    attention_entropy,
    build,
    build_block,
    compare_attention,
    compare_attention_gradients,
    compare_code,
    compare_entropy,
    compare_f1,
    compare_loss,
    compare_pooling,
    compare_rotary,
    compare_rotary_gradient,
    draw,
    examine_ablation,
    examine_block,
    examine_block_dropout,
    examine_dropout,
    examine_embedding,
    examine_empty,
    examine_epoch,
    examine_feed_forward,
    examine_heads,
    examine_mask,
    examine_masks,
    examine_norms,
    f1_scores,
    gradients,
    loss_of,
    make_batches,
    masked_mean_pool,
    multilabel_loss,
    numbers,
    pair,
    refuses_heads,
    refuses_odd_width,
    scaled_dot_product_attention,
    scaling_ablation,
    sinusoidal_positional_encoding,
    summary,
    train_one_epoch,
)
from course_utils.checks.self_attention.parts import COURSE_PARTS

HEAVY = ("torch._dynamo",)  # the first optimizer imports it: a judge had better do so before


def parts(namespace: Mapping[str, Any], *names: str) -> SimpleNamespace:
    """Give the parts of an encoder, the student's where they are right: see `choose_parts`."""
    return choose_parts(NOTEBOOK, COURSE_PARTS, namespace, *names)


def course_parts() -> SimpleNamespace:
    """Give the course's parts alone."""
    return SimpleNamespace(**COURSE_PARTS)
