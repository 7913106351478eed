"""Checks of notebook 03: fusion of modalities, with the electrocardiogram as one of them."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from course_utils.checks.multimodal_fusion_ecg.exercises import (
    NOTEBOOK,
    CrossAttentionFusion,
    FusionTransformer,
    IntermediateFusion,
    as_record,
    assert_all_heads,
    assert_band,
    assert_butterworth,
    assert_clip_loss,
    assert_cross_attention,
    assert_detector,
    assert_divides,
    assert_filter,
    assert_fusion,
    assert_fusion_heads,
    assert_fusion_transformer,
    assert_half,
    assert_heart_rate,
    assert_info_nce,
    assert_late,
    assert_late_gradient,
    assert_late_kinds,
    assert_line_invariant,
    assert_no_beats,
    assert_pause,
    assert_recall,
    assert_same_beats,
    assert_scaled,
    assert_siglip,
    assert_siglip_integers,
    assert_siglip_zero,
    build,
    clip_loss,
    detect_r_peaks,
    heart_rate_features,
    info_nce,
    late_fusion,
    logits_of,
    preprocess_ecg,
    retrieval_recall,
    siglip_loss,
    summary,
    triple,
)
from course_utils.checks.multimodal_fusion_ecg.parts import COURSE_PARTS
from course_utils.checks.parts import choose_parts

# torch's attention imports it when it first sees a mask: a judge had better do so before
HEAVY = ("torch.fx.experimental.symbolic_shapes",)


def parts(namespace: Mapping[str, Any], *names: str) -> SimpleNamespace:
    """Give a fusion or loss as the student wrote it where it is right: see `choose_parts`."""
    return choose_parts(NOTEBOOK, COURSE_PARTS, namespace, *names)
