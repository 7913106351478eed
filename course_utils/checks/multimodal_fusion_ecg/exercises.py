"""Visible checks of notebook 03: fusion of modalities, with the electrocardiogram as one of them.

What is asked stands in the modules beside this one, for any size, seed and dtype; the hidden checks
use it again with other ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils.checks.multimodal_fusion_ecg.attention import (
    assert_cross_attention,
    assert_divides,
)
from course_utils.checks.multimodal_fusion_ecg.detector import (
    as_record,
    assert_detector,
    assert_no_beats,
    assert_pause,
    assert_same_beats,
    detector_records,
)
from course_utils.checks.multimodal_fusion_ecg.fusion import (
    assert_fusion,
    assert_late,
    assert_late_gradient,
    assert_late_kinds,
    build,
    logits_of,
)
from course_utils.checks.multimodal_fusion_ecg.fusion_transformer import (
    assert_all_heads,
    assert_fusion_heads,
    assert_fusion_transformer,
)
from course_utils.checks.multimodal_fusion_ecg.losses import (
    assert_clip_loss,
    assert_half,
    assert_info_nce,
    assert_recall,
    compare_number,
    triple,
)
from course_utils.checks.multimodal_fusion_ecg.siglip import (
    assert_siglip,
    assert_siglip_integers,
    assert_siglip_zero,
)
from course_utils.checks.multimodal_fusion_ecg.signal import (
    assert_band,
    assert_butterworth,
    assert_filter,
    assert_heart_rate,
    assert_line_invariant,
    assert_scaled,
)
from course_utils.checks.notebook import Notebook
from course_utils.checks.tensors import draw
from course_utils.data.ecg import make_ecg

__all__ = [
    "NOTEBOOK",
    "CrossAttentionFusion",
    "FusionTransformer",
    "IntermediateFusion",
    "as_record",
    "assert_all_heads",
    "assert_band",
    "assert_butterworth",
    "assert_clip_loss",
    "assert_cross_attention",
    "assert_detector",
    "assert_divides",
    "assert_filter",
    "assert_fusion",
    "assert_fusion_heads",
    "assert_fusion_transformer",
    "assert_half",
    "assert_heart_rate",
    "assert_info_nce",
    "assert_late",
    "assert_late_gradient",
    "assert_late_kinds",
    "assert_line_invariant",
    "assert_no_beats",
    "assert_pause",
    "assert_recall",
    "assert_same_beats",
    "assert_scaled",
    "assert_siglip",
    "assert_siglip_integers",
    "assert_siglip_zero",
    "build",
    "clip_loss",
    "detect_r_peaks",
    "heart_rate_features",
    "info_nce",
    "late_fusion",
    "logits_of",
    "preprocess_ecg",
    "retrieval_recall",
    "siglip_loss",
    "summary",
    "triple",
]

NOTEBOOK = Notebook("03_multimodal_fusion_ecg", written=5)
summary = NOTEBOOK.summary


@NOTEBOOK.exercise(points=6)
def info_nce(answer: Callable[..., Any]) -> str:
    image, text = 2.0 * draw(6, 5, seed=1), 0.5 * draw(6, 5, seed=2) + 0.3
    assert_info_nce(answer, image, text)
    assert_info_nce(answer, image.double(), text.double(), 0.5)
    assert_info_nce(answer, image, text, 1e-3)
    assert_half(answer, image.bfloat16(), text.bfloat16())
    one = triple(answer, image[:1], text[:1])
    for name, value in zip(("total", "image_to_text", "text_to_image"), one, strict=True):
        compare_number(value, 0.0, f"{name} of a single pair", dict, rtol=0, atol=1e-6)
    return "values against SciPy, float dtypes, temperatures 0.5 to 0.001, gradients, N = 1"


@NOTEBOOK.exercise(points=4)
def retrieval_recall(answer: Callable[..., Any]) -> str:
    table = np.array([[5, 1, 0, 2], [6, 4, 1, 0], [0, 9, 8, 7], [3, 2, 1.5, 1]], dtype=float)
    # ranks of the diagonal: rows 1, 2, 2, 4; columns 2, 2, 1, 3
    names = {1: (0.25, 0.25), 2: (0.75, 0.75), 3: (0.75, 1.0), 4: (1.0, 1.0), 9: (1.0, 1.0)}
    for k, want in names.items():
        assert_recall(answer, table, k, want)
        assert_recall(answer, torch.from_numpy(table).float(), k, want)
    assert_recall(answer, table[:, :3][:3].astype(np.int64), 2, (1.0, 1.0))
    near = np.ones((3, 3), dtype=np.float32)
    near[np.diag_indices(3)] = np.nextafter(np.float32(1), np.float32(2))
    by_a_hair = "a tie is exact: close is not equal, so compare with >= and without a tolerance"
    assert_recall(answer, near, 1, (1.0, 1.0), by_a_hair)
    assert_recall(answer, torch.from_numpy(near).requires_grad_(), 1, (1.0, 1.0), by_a_hair)
    ties = np.zeros((4, 4))
    for k, want in {1: (0.0, 0.0), 3: (0.0, 0.0), 4: (1.0, 1.0)}.items():
        assert_recall(
            answer,
            ties,
            k,
            want,
            "ties count against: other candidates that score as "
            "high stand before the match (>=, not >)",
        )
    return "a table by hand for k = 1 to 9, both directions, ties, integers, arrays and tensors"


@NOTEBOOK.exercise(points=5)
def preprocess_ecg(answer: Callable[..., Any]) -> str:
    record = make_ecg(2, duration_s=8.0, leads=("II", "V2"), noise="ward", random_state=11)
    assert_scaled(answer, record.signals.astype(np.float64), 250.0)
    assert_filter(answer, 250.0)
    assert_filter(answer, 2000.0)
    assert_butterworth(answer, 250.0)
    assert_scaled(answer, record.signals[0, 0], 250.0)
    leads = np.stack([record.signals[0, 0].astype(float), np.full(2000, 5.1), np.zeros(2000)])
    assert_scaled(answer, leads, 250.0, 1, 2)
    assert_scaled(answer, 1e7 + np.random.default_rng(13).normal(size=2000), 250.0)
    assert_scaled(answer, np.stack([1e10 * leads[0], leads[0]]), 250.0)
    assert_scaled(answer, np.rint(200 * record.signals[:, 1] + 1024).astype(np.int64), 250.0)
    assert_line_invariant(answer, record.signals[0, 0].astype(np.float64), 250.0)
    return "phase and gain, 2000 Hz, trend, scale per lead, flat leads, integers, float32"


@NOTEBOOK.exercise(points=8)
def detect_r_peaks(answer: Callable[..., Any]) -> str:
    assert_no_beats(answer, np.full(2500, 3.3), 250.0)
    records = detector_records(5, 250.0)
    assert_detector(answer, records)
    signal = records[1][2].signals[0, 0].astype(np.float64)
    assert_same_beats(answer, signal, 1.0, 2e6, 250.0)
    assert_same_beats(answer, signal, 1e-10, 0.0, 250.0)
    for height in (0.0, 0.3):
        assert_pause(answer, 250.0, height, at=10)
    return (
        "30-200 bpm, upright, inverted, wander, noise with tall T waves, 125 Hz, offset and unit, "
        "a pause, a flat line"
    )


@NOTEBOOK.exercise(points=4)
def heart_rate_features(answer: Callable[..., Any]) -> str:
    rr_ms = np.array([800.0, 900.0, 760.0, 740.0, 840.0])
    r_peaks = np.concatenate([[40], 40 + np.cumsum(rr_ms) / 4]).astype(np.int64)  # 250 Hz
    step = np.diff(rr_ms)
    want = {
        "mean_hr": 60000 / 808.0,
        "sdnn": float(np.std(rr_ms, ddof=1)),
        "rmssd": math.sqrt(float(np.mean(step**2))),
        "pnn50": 75.0,
    }
    mistakes = {
        "the mean of the rates is not the rate of the mean interval": {
            "mean_hr": float(np.mean(60000 / rr_ms))
        },
        "ddof = 1 is wanted": {"sdnn": float(np.std(rr_ms))},
        "intervals are wanted in milliseconds": {
            "sdnn": want["sdnn"] / 1000,
            "rmssd": want["rmssd"] / 1000,
        },
        "intervals are in samples; divide by sampling_rate": {
            "sdnn": want["sdnn"] / 4,
            "rmssd": want["rmssd"] / 4,
            "mean_hr": want["mean_hr"] * 4,
        },
        "the differences are centred before squaring; they are not": {"rmssd": float(step.std())},
        "the root is missing": {"rmssd": want["rmssd"] ** 2},
        "rmssd takes differences of successive intervals, not of all from the mean": {
            "rmssd": float(np.std(rr_ms))
        },
        "a percentage (0-100) is wanted, not a fraction": {"pnn50": 0.75},
        "take the absolute value of the differences": {"pnn50": 50.0},
        "divide by the number of differences, not of intervals": {"pnn50": 60.0},
    }
    for kind in (np.int64, np.float32, np.float64):
        assert_heart_rate(answer, r_peaks.astype(kind), 250.0, want, mistakes)
    same_intervals = {
        "a sampling rate need not be a whole number": {
            "mean_hr": want["mean_hr"] * 62 / 62.5,
            "sdnn": want["sdnn"] * 62.5 / 62,
        },
        "beats may lie between two samples: do not round or cut them": {"rmssd": 0.0},
    }
    assert_heart_rate(answer, r_peaks / 4, 62.5, want, same_intervals)
    late = r_peaks + 86_400 * 250  # the end of a day at 250 Hz
    for beats in (late, late.astype(np.float64)):
        assert_heart_rate(answer, beats, 250.0, want, mistakes)
    nan = float("nan")
    rest = {"sdnn": nan, "rmssd": nan, "pnn50": nan}
    assert_heart_rate(
        answer,
        r_peaks[:3],
        250,
        {"mean_hr": 60000 / 850, "sdnn": math.sqrt(5000.0), "rmssd": 100.0, "pnn50": 100.0},
    )
    assert_heart_rate(answer, r_peaks[:2], 250.0, {"mean_hr": 75.0} | rest)
    for few in (0, 1):
        assert_heart_rate(answer, r_peaks[:few], 250.0, {"mean_hr": nan} | rest)
    return "worked intervals, units, integer and float beats, and 3, 2, 1 and 0 beats"


@NOTEBOOK.exercise(points=4)
def late_fusion(answer: Callable[..., Any]) -> str:
    p = [
        np.array([0.2, 0.9, 0.4, 0.6]),
        np.array([0.4, 0.1, 0.8, 0.5]),
        np.array([0.9, 0.5, 0.3, 0.1]),
    ]
    mean = np.array([0.5, 0.5, 0.5, 0.4])
    assert_late(answer, p, None, None, mean, {"the weights are not divided by their sum": 3 * mean})
    w = np.array([2.0, 1.0, 1.0])
    assert_late(
        answer,
        p,
        w,
        None,
        np.array([0.425, 0.6, 0.475, 0.45]),
        {
            "the weights are not divided by their sum": np.array([1.7, 2.4, 1.9, 1.8]),
            "the weights are ignored": mean,
        },
    )
    there = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=bool)
    nan = np.nan
    want = np.array([0.425, 2.3 / 3, 0.8, nan])
    mistakes = {
        "missing entries still count below the line: divide by the weights present": np.array(
            [0.425, 2.3 / 4, 0.2, 0.0]
        ),
        "a patient without any modality gets nan, not 0": np.array([0.425, 2.3 / 3, 0.8, 0.0]),
        "the weights are ignored": np.array([0.5, 0.7, 0.8, nan]),
        "missing entries are not left out": np.array([0.425, 0.6, 0.475, 0.45]),
    }
    assert_late(answer, p, w, there, want, mistakes)
    holes = [np.where(there[:, m], q, nan) for m, q in enumerate(p)]
    assert_late(
        answer,
        holes,
        w,
        there,
        want,
        {
            "nan times 0 is nan: replace missing entries before multiplying": np.array(
                [0.425, nan, nan, nan]
            )
        }
        | mistakes,
    )
    assert_late(
        answer,
        [q.round().astype(np.int64) for q in p],
        None,
        there,
        np.array([1 / 3, 0.5, 1.0, nan]),
    )
    assert_late_gradient(answer, holes, there)
    assert_late_gradient(answer, holes, there, np.array([0.0, 1.0, 2.0]))
    assert_late_kinds(answer, p, w, there)
    return "plain and weighted means, missing entries with nan, arrays, tensors, gradients"


@NOTEBOOK.exercise(points=6)
def IntermediateFusion(answer: Any) -> str:
    assert_fusion(answer, (5, 3), 8, 2)
    assert_fusion(answer, (4, 6, 2), 9, 3, dtype=torch.float32, seed=1)
    return (
        "shapes, interaction after the fusion, missing modalities with nan and inf, nobody there, "
        "gradients, a batch of one, two dtypes"
    )


@NOTEBOOK.exercise(points=8)
def FusionTransformer(answer: Any) -> str:
    assert_fusion_transformer(answer, [6, 9, 2], 8, 2, 2)
    assert_fusion_transformer(answer, [6, 6, 7, 2, 9], 12, 3, 1, seed=40, dtype=torch.float64)
    assert_all_heads(answer)
    assert_fusion_heads(answer, 10, 3)
    return (
        "shapes, weights, modality vectors, missing modalities with nan and inf, nothing at all, "
        "gradients, one patient alone, training mode, heads, two dtypes"
    )


@NOTEBOOK.exercise(points=3)
def clip_loss(answer: Callable[..., Any]) -> str:
    image, text = 3.0 * draw(7, 4, seed=3), draw(7, 4, seed=4) + 0.4
    for log_scale in (math.log(1 / 0.07), 0.4, -0.7):
        assert_clip_loss(answer, image, text, log_scale)
    assert_clip_loss(answer, image.double(), text.double(), 2.0)
    assert_clip_loss(answer, image, text, 1.5, torch.float64)
    assert_clip_loss(answer, image, text, 6.0)
    assert_clip_loss(answer, image, text, -7.0)
    assert_half(answer, image.bfloat16(), text.bfloat16(), torch.tensor(2.0).bfloat16())
    return "values against SciPy, the clamp at ln 100, gradients below and above it, two dtypes"


@NOTEBOOK.exercise(points=5)
def siglip_loss(answer: Callable[..., Any]) -> str:
    image, text = 2.0 * draw(6, 5, seed=5), 0.5 * draw(6, 5, seed=6) + 0.3
    number = torch.tensor([0, 1, 0, 2, 1, 0])
    same = number[:, None] == number[None, :]
    eye = torch.eye(6, dtype=torch.bool)
    assert_siglip(answer, image, text, same, 0.8, -0.6)
    assert_siglip(answer, image, text, eye, math.log(10.0), -10.0)
    assert_siglip(answer, image.double(), text.double(), same, -0.5, 1.3)
    assert_siglip(answer, image, text, same, 0.8, -0.6, torch.float64)
    assert_siglip(answer, image, text, same, math.log(1000.0), 5.0)
    assert_siglip(answer, image[:1], text[:1], eye[:1, :1], 0.7, 0.2)
    assert_siglip_zero(answer, image, text)
    assert_siglip_integers(answer, (3 * image).round().long(), (5 * text).round().long())
    half = [torch.tensor(v).bfloat16() for v in (0.8, -0.6)]
    assert_half(answer, image.bfloat16(), text.bfloat16(), same, *half)
    return (
        "values against NumPy with and without duplicates, |z| to 1000, a vector of zeros, "
        "integers, dtypes, gradients of all four, N = 1"
    )


@NOTEBOOK.exercise(points=5)
def CrossAttentionFusion(answer: Any) -> str:
    assert_cross_attention(
        answer, width=12, heads=3, batch=3, queries=4, keys=5, seed=0, dtype=torch.float32
    )
    assert_cross_attention(
        answer, width=8, heads=2, batch=2, queries=3, keys=3, seed=1, dtype=torch.float64
    )
    assert_divides(answer, 10, 3)
    return (
        "known maps, rows sum to one, missing context with nan and inf, none at all, "
        "gradients, two dtypes"
    )
