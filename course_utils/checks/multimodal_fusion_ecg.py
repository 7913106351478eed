"""Visible checks of notebook 03: fusion of modalities, with the electrocardiogram as one of them.

The functions that begin with `assert_` state properties for any size, seed and dtype; the hidden
checks use them again with other ones.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from course_utils.checks._core import Notebook, call, fail, require, same
from course_utils.data.ecg import ECG, make_ecg, score_r_peaks

NOTEBOOK = Notebook("03_multimodal_fusion_ecg", written=5)
summary = NOTEBOOK.summary

Tensor = torch.Tensor


def _normal(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def _leaf(value: Tensor) -> Tensor:
    return value.clone().requires_grad_()


def _finite(value: Tensor | None) -> bool:
    return value is None or bool(torch.isfinite(value).all())


def _triple(answer: Callable[..., Any], *args: Any) -> tuple[Tensor, Tensor, Tensor]:
    got = call(answer, *args)
    if not isinstance(got, tuple | list) or len(got) != 3:
        fail(
            "Expected three losses (total, image_to_text, text_to_image), got "
            f"{type(got).__name__}."
        )
    for name, value in zip(("total", "image_to_text", "text_to_image"), got, strict=True):
        _scalar_tensor(value, name)
    return tuple(got)


def _scalar_tensor(value: Any, name: str) -> None:
    if not isinstance(value, Tensor):
        fail(
            f"Expected {name} as a 0-d tensor, got {type(value).__name__}.",
            "`.item()`, `float()` or NumPy cuts the gradient; stay with tensors",
        )
    if value.dim() != 0:
        fail(
            f"Expected {name} as a 0-d tensor, got shape {tuple(value.shape)}.",
            "take the mean over the N pairs",
        )


# ---------------------------------------------------------------------------- contrastive losses


def _log_loss(similarity: Tensor, axis: int) -> float:
    """Mean cross-entropy of the diagonal by SciPy and scikit-learn's definition, in nats."""
    from scipy.special import log_softmax

    return float(-np.diag(log_softmax(similarity.detach().double().numpy(), axis=axis)).mean())


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    from sklearn.metrics.pairwise import cosine_similarity

    return torch.from_numpy(cosine_similarity(a.detach().double(), b.detach().double()))


def assert_info_nce(
    answer: Callable[..., Any], image: Tensor, text: Tensor, temperature: float | None = None
) -> None:
    """Compare the three losses with SciPy on one batch and follow the gradients."""
    t = 0.07 if temperature is None else temperature
    args = () if temperature is None else (temperature,)
    cosine = _cosines(image, text)
    raw = image.detach().double() @ text.detach().double().T
    forth, back = _log_loss(cosine / t, 1), _log_loss(cosine / t, 0)
    image, text = _leaf(image), _leaf(text)
    total, got_forth, got_back = _triple(answer, image, text, *args)
    where = f"at temperature {t:g}"
    common = {
        "the rows are not normalised: divide each embedding by its length": _log_loss(raw / t, 1),
        "the similarities are multiplied by the temperature, not divided": _log_loss(cosine * t, 1),
        "the two directions are exchanged: image_to_text is a softmax over texts (the row)": back,
        "the temperature is left out": _log_loss(cosine, 1),
        "it is a sum over the pairs; take the mean": forth * len(image),
        "the sign is missing: a loss is the *negative* log-probability": -forth,
        "logarithm to the base 2; use nats": forth / math.log(2),
    }
    close: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
    _compare_number(got_forth, forth, f"image_to_text {where}", common, **close)
    _compare_number(got_back, back, f"text_to_image {where}", {}, **close)
    total_mistakes = {
        "total is the sum of the two directions; take their mean": forth + back,
        "total is one direction only": forth,
    }
    _compare_number(total, (forth + back) / 2, f"total {where}", total_mistakes, **close)
    require(
        total.dtype == image.dtype,
        f"Expected total with dtype {image.dtype}, got {total.dtype}.",
        "a new tensor without the input's dtype",
    )
    for name, value in (
        ("total", total),
        ("image_to_text", got_forth),
        ("text_to_image", got_back),
    ):
        inputs = {"image_emb": image, "text_emb": text}
        assert_gradients(value, inputs, name, where, nonzero=t >= 0.05)
        if t >= 0.05:
            assert_scale_free(value, inputs, name)


def assert_gradients(
    loss: Tensor, inputs: Mapping[str, Tensor], name: str, where: str, *, nonzero: bool = True
) -> None:
    """Gradients of a loss reach every input, and they are finite."""
    if not loss.requires_grad:
        fail(
            f"{name} has no gradient.",
            "`.detach()`, `.item()`, `torch.no_grad()` or NumPy cut it off",
        )
    grads = torch.autograd.grad(loss, list(inputs.values()), retain_graph=True, allow_unused=True)
    for key, grad in zip(inputs, grads, strict=True):
        if grad is None:
            fail(f"No gradient of {name} reaches `{key}`.", "it was detached or is not used")
        require(
            _finite(grad),
            f"The gradient of {name} in `{key}` is not finite {where}.",
            "exp of a large number overflows: work with log_softmax or logsumexp",
        )
        if nonzero and not bool((grad != 0).any()):
            fail(f"The gradient of {name} in `{key}` is zero everywhere {where}.")


def assert_scale_free(loss: Tensor, inputs: Mapping[str, Tensor], name: str) -> None:
    """Cosines do not change along a row, so no gradient points along it."""
    grads = torch.autograd.grad(loss, list(inputs.values()), retain_graph=True)
    for (key, value), grad in zip(inputs.items(), grads, strict=True):
        along = (grad * value).sum(-1).abs()
        size = grad.norm(dim=-1) * value.norm(dim=-1)
        require(
            bool((along <= 1e-3 * size + 1e-6).all()),
            f"The gradient of {name} in `{key}` points along the rows themselves.",
            "the length used for normalising was detached, or made without gradient",
        )


def _compare_number(
    got: Any, want: float, what: str, mistakes: Mapping[str, Any], rtol: float, atol: float
) -> None:
    value = float(got)
    if math.isnan(value) or math.isinf(value):
        fail(
            f"Expected {what} to be {want:.5g}, got {value}.",
            "exp overflows: use log_softmax, logsumexp or cross_entropy",
        )
    same(value, want, what, rtol=rtol, atol=atol, mistakes=mistakes)


@NOTEBOOK.exercise(points=6)
def info_nce(answer: Callable[..., Any]) -> str:
    image, text = 2.0 * _normal(1, 6, 5), 0.5 * _normal(2, 6, 5) + 0.3
    assert_info_nce(answer, image, text)
    assert_info_nce(answer, image.double(), text.double(), 0.5)
    assert_info_nce(answer, image, text, 1e-3)
    one = _triple(answer, image[:1], text[:1])
    for name, value in zip(("total", "image_to_text", "text_to_image"), one, strict=True):
        _compare_number(value, 0.0, f"{name} of a single pair", {}, rtol=0, atol=1e-6)
    return "values against SciPy, float32 and float64, temperatures 0.5 to 0.001, gradients, N = 1"


@NOTEBOOK.exercise(points=4)
def retrieval_recall(answer: Callable[..., Any]) -> str:
    table = np.array([[5, 1, 0, 2], [6, 4, 1, 0], [0, 9, 8, 7], [3, 2, 1.5, 1]], dtype=float)
    # ranks of the diagonal: rows 1, 2, 2, 4; columns 2, 2, 1, 3
    names = {1: (0.25, 0.25), 2: (0.75, 0.75), 3: (0.75, 1.0), 4: (1.0, 1.0), 9: (1.0, 1.0)}
    for k, want in names.items():
        assert_recall(answer, table, k, want)
        assert_recall(answer, torch.from_numpy(table).float(), k, want)
    assert_recall(answer, table[:, :3][:3].astype(np.int64), 2, (1.0, 1.0))
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


def assert_recall(
    answer: Callable[..., Any],
    similarity: Any,
    k: int,
    want: tuple[float, float],
    hint: str | None = None,
) -> None:
    """Compare both recalls with known ones; they are Python floats."""
    got = call(answer, similarity, k)
    if not isinstance(got, tuple | list) or len(got) != 2:
        fail(f"Expected (image_to_text, text_to_image), got {type(got).__name__}.")
    for name, value in zip(("image_to_text", "text_to_image"), got, strict=True):
        if isinstance(value, bool) or not isinstance(value, float):
            fail(
                f"Expected {name} as a Python float, got {type(value).__name__}.",
                "wrap the result in float(...)",
            )
    came, wanted = np.array(got), np.array(want)
    if np.allclose(came, wanted, atol=1e-6):
        return
    if hint is None and np.allclose(came, wanted[::-1], atol=1e-6):
        hint = "the directions are exchanged: rows are images, columns are texts"
    elif hint is None and np.allclose(came, 100 * wanted, atol=1e-4):
        hint = "fractions between 0 and 1 are wanted, not per cent"
    seen = f"Expected {want} at k = {k}, N = {len(similarity)}, "
    fail(
        seen + f"got {tuple(round(v, 4) for v in came.tolist())}.",
        hint
        or "count, for each row (column), the other candidates that score at least as high as "
        "the diagonal; the pair counts when they are fewer than k",
    )


@NOTEBOOK.exercise(points=3)
def clip_loss(answer: Callable[..., Any]) -> str:
    image, text = 3.0 * _normal(3, 7, 4), _normal(4, 7, 4) + 0.4
    for log_scale in (math.log(1 / 0.07), 0.4, -0.7):
        assert_clip_loss(answer, image, text, log_scale)
    assert_clip_loss(answer, image.double(), text.double(), 2.0)
    assert_clip_loss(answer, image, text, 6.0)
    return "values against SciPy, the clamp at ln 100, gradients below and above it, two dtypes"


def assert_clip_loss(
    answer: Callable[..., Any], image: Tensor, text: Tensor, log_scale: float
) -> None:
    """Compare the loss with SciPy and follow the gradient of the scale."""
    limit = math.log(100.0)
    scale = math.exp(min(log_scale, limit))
    cosine, raw = _cosines(image, text), image.double() @ text.double().T

    def both(similarity: Tensor) -> float:
        return (_log_loss(similarity, 1) + _log_loss(similarity, 0)) / 2

    parameter = nn.Parameter(torch.tensor(log_scale, dtype=image.dtype))
    image, text = _leaf(image), _leaf(text)
    got = call(answer, image, text, parameter)
    _scalar_tensor(got, "the loss")
    mistakes = {
        "logit_scale is the logarithm of the scale: multiply by exp(logit_scale)": both(
            cosine * log_scale
        ),
        "the similarities are divided by the scale; multiply": both(cosine / scale),
        "the scale is not clamped at 100 (logit_scale at ln 100)": both(
            cosine * math.exp(log_scale)
        ),
        "the features are not normalised": both(raw * scale),
        "one direction only; take the mean of both": _log_loss(cosine * scale, 1),
        "one direction only; take the mean of both (texts)": _log_loss(cosine * scale, 0),
        "the sum of both directions; take the mean": 2 * both(cosine * scale),
        "the scale is clamped from below too; only ln 100 is a limit": both(
            cosine * max(scale, 1.0)
        ),
        "a sum over the pairs; take the mean": both(cosine * scale) * len(image),
    }
    what = f"the loss at logit_scale = {log_scale:.3g}"
    _compare_number(got, both(cosine * scale), what, mistakes, rtol=1e-3, atol=1e-5)
    require(got.dtype == image.dtype, f"Expected dtype {image.dtype}, got {got.dtype}.")
    where = f"at logit_scale = {log_scale:.3g}"
    features = {"image_features": image, "text_features": text}
    assert_gradients(got, features, "the loss", where)
    if log_scale < 3.0:
        assert_scale_free(got, features, "the loss")
    grad = torch.autograd.grad(got, parameter, allow_unused=True)[0]
    if log_scale < limit:
        require(
            grad is not None and bool(grad != 0),
            f"No gradient reaches logit_scale {where}.",
            "`.item()`, `.data` or `float()` of the parameter cuts the gradient",
        )
    elif grad is not None:
        require(
            bool(grad == 0),
            f"The gradient of logit_scale is {grad.item():.3g} {where}; "
            "above ln 100 it has to be 0.",
            "clamp logit_scale itself, not only the value",
        )


# ---------------------------------------------------------------------------- electrocardiogram


def _array_out(got: Any, shape: tuple[int, ...], dtype: Any, what: str) -> NDArray[Any]:
    if not isinstance(got, np.ndarray):
        fail(f"Expected {what} as a NumPy array, got {type(got).__name__}.")
    if got.shape != shape:
        fail(
            f"Expected {what} with shape {shape}, got {got.shape}.",
            "time is the last axis: detrend, filter and scale with axis=-1, keepdims=True",
        )
    if got.dtype.kind != "f" or (np.dtype(dtype).kind == "f" and got.dtype != dtype):
        wanted = np.dtype(dtype) if np.dtype(dtype).kind == "f" else "a floating dtype"
        fail(
            f"Expected {what} with dtype {wanted}, got {got.dtype}.",
            "compute in float64, then give floating input back in its own dtype",
        )
    if not np.isfinite(got).all():
        fail(
            f"{what} holds values that are not finite.",
            "a filter in (b, a) form is unstable at low cut-offs: use second-order sections "
            '(output="sos"); a flat lead divides by zero',
        )
    return got


def assert_filter(answer: Callable[..., Any], rate: float, seconds: float = 12.0) -> None:
    """10 Hz keeps its phase; 0.2 Hz and, below Nyquist, 100 Hz fall under a tenth of its gain."""
    time = np.arange(round(seconds * rate)) / rate
    parts = [0.2, 10.0] + ([100.0] if rate > 200 else [])
    x = np.sum([np.sin(2 * np.pi * f * time + 0.3) for f in parts], axis=0)
    got = _array_out(call(answer, x, rate), x.shape, np.float64, "the filtered signal")
    inside = slice(round(2 * rate), len(x) - round(2 * rate))
    columns = np.stack(
        [wave(2 * np.pi * f * time + 0.3) for f in parts for wave in (np.sin, np.cos)], axis=1
    )
    columns = np.column_stack([columns, np.ones(len(x))])
    weights = np.linalg.lstsq(columns[inside], got[inside], rcond=None)[0][:-1].reshape(-1, 2)
    gain = np.hypot(*weights.T)
    shift = abs(math.degrees(math.atan2(weights[1, 1], weights[1, 0])))
    if not shift < 5.0:
        fail(
            f"10 Hz is shifted by {shift:.0f} degrees at {rate:g} Hz.",
            "a filter that runs forwards only delays (run it both ways); at a high rate the "
            "(b, a) form is unstable (use second-order sections)",
        )
    for f, g in zip(parts, gain, strict=True):
        if f != 10.0 and not g < 0.1 * gain[1]:
            fail(
                f"{f:g} Hz keeps {g / gain[1]:.0%} of the gain of 10 Hz at {rate:g} Hz; "
                "wanted is under 10 %.",
                "is it a band-pass of order 4 from `low` to `high` Hz at this sampling_rate?",
            )


def assert_band(answer: Callable[..., Any], rate: float, low: float, high: float) -> None:
    """The arguments `low` and `high` are used: tones far outside fall under a tenth."""
    time = np.arange(round(12 * rate)) / rate
    middle = math.sqrt(low * high)
    inside = slice(round(2 * rate), len(time) - round(2 * rate))
    for f in (low / 4, high * 3):
        if f >= 0.48 * rate:
            continue
        x = np.sin(2 * np.pi * middle * time) + np.sin(2 * np.pi * f * time)
        got = _array_out(call(answer, x, rate, low, high), x.shape, np.float64, "the signal")
        tones = [wave(2 * np.pi * g * time) for g in (middle, f) for wave in (np.sin, np.cos)]
        weights = np.linalg.lstsq(np.stack(tones, 1)[inside], got[inside], rcond=None)[0]
        ratio = np.hypot(*weights[2:]) / np.hypot(*weights[:2])
        require(
            ratio < 0.1,
            f"With low={low:g}, high={high:g}, {f:g} Hz keeps {ratio:.0%} of the "
            f"gain of {middle:.3g} Hz.",
            "`low` and `high` are not used",
        )


def assert_scaled(answer: Callable[..., Any], x: NDArray[Any], rate: float, *flat: int) -> None:
    """Every lead has mean 0 and standard deviation 1; leads named `flat` are exact zeros."""
    got = _array_out(call(answer, x, rate), x.shape, x.dtype, "the result")
    rows = got.reshape(-1, got.shape[-1]).astype(np.float64)
    for i, row in enumerate(rows):
        if i in flat:
            require(
                not row.any(),
                f"A flat lead (row {i} of {x.shape}) gives values up to "
                f"{np.abs(row).max():.3g}; exact zeros are wanted.",
                "rounding noise is not a signal: compare the range with 1e-9 of the largest value",
            )
            continue
        mean, spread = row.mean(), row.std()
        tolerance = 1e-4 if x.dtype == np.float32 else 1e-6
        if abs(mean) > tolerance or abs(spread - 1) > tolerance:
            ddof = abs(row.std(ddof=1) - 1) < 1e-6
            fail(
                f"Lead {i} of {x.shape} has mean {mean:.4g} and standard deviation {spread:.6g}; "
                "wanted are 0 and 1.",
                "use ddof = 0"
                if ddof
                else "centre and scale each lead by itself (axis=-1, "
                "keepdims=True), after the filter",
            )


def assert_line_invariant(answer: Callable[..., Any], x: NDArray[Any], rate: float) -> None:
    """A straight line added to the signal is taken away again."""
    time = np.arange(x.shape[-1]) / rate
    plain, tilted = call(answer, x, rate), call(answer, x + 3.0 + 7.0 * time, rate)
    _array_out(tilted, x.shape, np.float64, "the result")
    worst = float(np.abs(tilted - plain).max())
    require(
        worst < 1e-3,
        f"A line added to the signal changes the result by up to {worst:.3g}.",
        "remove the linear trend (scipy.signal.detrend) before filtering, over the last axis",
    )


@NOTEBOOK.exercise(points=5)
def preprocess_ecg(answer: Callable[..., Any]) -> str:
    record = make_ecg(2, duration_s=8.0, leads=("II", "V2"), noise="ward", random_state=11)
    assert_filter(answer, 250.0)
    assert_filter(answer, 2000.0)
    assert_scaled(answer, record.signals.astype(np.float64), 250.0)
    assert_scaled(answer, record.signals[0, 0], 250.0)
    leads = np.stack([record.signals[0, 0].astype(float), np.full(2000, 5.1), np.zeros(2000)])
    assert_scaled(answer, leads, 250.0, 1, 2)
    assert_scaled(answer, np.rint(200 * record.signals[:, 1] + 1024).astype(np.int64), 250.0)
    assert_line_invariant(answer, record.signals[0, 0].astype(np.float64), 250.0)
    return "phase and gain, 2000 Hz, trend, scale per lead, flat leads, integers, float32"


_READY_MADE = ("neurokit2", "wfdb", "biosppy", "heartpy", "ecgdetectors", "sleepecg", "pyhrv")


@contextmanager
def _watch_detectors() -> Iterator[list[str]]:
    """Note calls into packages that detect beats ready-made."""
    hits: list[str] = []
    previous = sys.getprofile()

    def watch(frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            file = frame.f_code.co_filename.replace("\\", "/")
            hits.extend(name for name in _READY_MADE if f"site-packages/{name}" in file)

    sys.setprofile(watch)
    try:
        yield hits
    finally:
        sys.setprofile(previous)


def peaks_of(answer: Callable[..., Any], signal: NDArray[Any], rate: float) -> NDArray[np.int64]:
    """Call a detector and check kind, order and range of what comes back."""
    got = call(answer, signal, rate)
    if not isinstance(got, np.ndarray):
        fail(f"Expected the beats as a NumPy array, got {type(got).__name__}.")
    if got.ndim != 1 or (got.size and got.dtype.kind not in "iu"):
        fail(
            f"Expected a 1-D array of integers, got shape {got.shape} and dtype {got.dtype}.",
            "return sample indices, not times",
        )
    if got.size and (got.min() < 0 or got.max() >= len(signal)):
        fail(f"Indices run from {got.min()} to {got.max()}; the signal has {len(signal)} samples.")
    if (np.diff(got.astype(np.int64)) <= 0).any():
        fail("The indices are not strictly ascending.", "sort them and drop doubles (np.unique)")
    return got.astype(np.int64)


CONDITIONS: dict[str, dict[str, Any]] = {
    "upright": {"noise": {"white": 0.01}},
    "inverted": {"noise": {"white": 0.01}, "inverted": True},
    "wander": {"noise": {"white": 0.01, "wander": 0.85}},
    "noise": {"noise": {"white": 0.10, "mains": 0.10}, "t_to_r": 0.5},
}


@functools.cache
def _detector_records(seed: int, rate: float) -> list[tuple[str, int, ECG]]:
    records = []
    for name, settings in CONDITIONS.items():
        for bpm in (30, 75, 150, 200):
            made = make_ecg(
                1, sampling_rate=rate, heart_rate=bpm, random_state=seed + bpm, **settings
            )
            records.append((name, bpm, made))
    low = make_ecg(1, sampling_rate=125, heart_rate=150, noise={"white": 0.01}, random_state=seed)
    return [*records, ("125 Hz", 150, low)]


def as_record(signal: NDArray[Any], r_peaks: NDArray[np.int64], rate: float) -> ECG:
    """Wrap one lead and its beats as a record."""
    types = np.zeros((1, len(r_peaks)), dtype=np.int8)
    waves = np.full((1, len(r_peaks), 5), -1)
    waves[0, :, 2] = r_peaks
    x = signal[None, None]
    zero = np.zeros(1, dtype=np.int64)
    beats = r_peaks[None].astype(np.int64)
    return ECG(x, x, beats, types, waves, zero, zero.astype(np.float64), zero > 0, rate, ("drawn",))


def assert_detector(
    answer: Callable[..., Any],
    records: Sequence[tuple[str, int, ECG]],
) -> None:
    """Sensitivity and precision of at least 95 % at 50 ms, offset within 15 ms, per condition."""
    counts: dict[str, list[float]] = {}
    offsets: dict[str, list[NDArray[Any]]] = {}
    worst: dict[str, list[str]] = {}
    for i, (name, bpm, record) in enumerate(records):
        signal, rate = record.signals[0, 0], record.sampling_rate
        if i == 0:
            with _watch_detectors() as hits:
                found = peaks_of(answer, signal, rate)
            if hits:
                fail(
                    f"It calls `{hits[0]}`, a ready-made detector.", "write the detection yourself"
                )
        else:
            found = peaks_of(answer, signal, rate)
        true = record.beats(0)
        score = score_r_peaks(true, found, rate, edge_ms=200, n_steps=len(signal))
        pool = counts.setdefault(name, [0, 0, 0])
        for j, key in enumerate(("matched", "true", "found")):
            pool[j] += score[key]
        offsets.setdefault(name, []).append(_offsets_ms(true, found, rate))
        if score["matched"] < score["true"] or score["matched"] < score["found"]:
            worst.setdefault(name, []).append(
                f"{bpm} bpm: {score['matched']:.0f} of {score['true']:.0f} beats, "
                f"{score['found'] - score['matched']:.0f} false"
            )
    for name, (matched, n_true, n_found) in counts.items():
        offset = float(np.median(np.concatenate(offsets[name])))
        sensitivity, precision = matched / n_true, matched / max(n_found, 1)
        if sensitivity < 0.95 or precision < 0.95:
            fail(
                f"{name}: {sensitivity:.0%} of the beats found, {precision:.0%} of what was found "
                "are beats (within 50 ms); 95 % of both are wanted.\n"
                + "; ".join(worst.get(name, [])[:4]),
                _detector_hint(name, worst.get(name, []), offset, sensitivity, precision),
            )
        require(
            abs(offset) <= 15,
            f"{name}: half of the beats are marked more than {offset:.0f} ms off the R wave.",
            "a filter delays, or the middle of the energy is not the peak: "
            "look for the extreme of the signal near each hit",
        )


def _offsets_ms(true: NDArray[Any], found: NDArray[Any], rate: float) -> NDArray[np.float64]:
    """Signed distance (ms) of each found beat to the nearest true one, where below 120 ms."""
    if not len(true) or not len(found):
        return np.zeros(0)
    gap = (found[:, None] - true[None, :]) / rate * 1000
    nearest = gap[np.arange(len(found)), np.abs(gap).argmin(axis=1)]
    return nearest[np.abs(nearest) < 120]


def _detector_hint(
    name: str, worst: Sequence[str], offset: float, sensitivity: float, precision: float
) -> str:
    if abs(offset) > 15:
        return (
            f"the marks lie {offset:+.0f} ms off the R wave: a one-way filter delays, a window "
            "has a middle; refine to the extreme near each hit"
        )
    if name == "inverted":
        return "upside down the R wave is the deepest point: take the sign of the larger deflection"
    if sensitivity < 0.95 <= precision:
        at = " at 200 bpm" if worst and worst[-1].startswith("200") else ""
        return (
            f"beats are missed{at}: is the refractory period longer than a fast beat (300 ms), "
            "the threshold a fixed height, or the block shorter than a slow beat (2 s)?"
        )
    if precision < 0.95 <= sensitivity:
        return (
            "T waves or noise are taken for beats: use the energy of the 5-25 Hz band, a threshold "
            "relative to it, and a refractory period of about 250 ms"
        )
    return (
        "a fixed threshold on the raw signal does not survive wander, units and noise: use the "
        "energy of the steep part of the beat (about 5-25 Hz)"
    )


@NOTEBOOK.exercise(points=8)
def detect_r_peaks(answer: Callable[..., Any]) -> str:
    flat = peaks_of(answer, np.full(2500, 3.3), 250.0)
    require(
        len(flat) == 0,
        f"A flat line gives {len(flat)} beats; none are wanted.",
        "leave early when the range of the signal is nothing",
    )
    assert_detector(answer, _detector_records(5, 250.0))
    return "30-200 bpm, upright, inverted, wander, noise with tall T waves, 125 Hz, a flat line"


def assert_heart_rate(
    answer: Callable[..., Any],
    r_peaks: NDArray[Any],
    rate: float,
    want: Mapping[str, float],
    mistakes: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Compare the four features with known ones; they are Python floats."""
    got = call(answer, r_peaks, rate)
    if not isinstance(got, dict):
        fail(f"Expected a dict, got {type(got).__name__}.")
    missing = [key for key in ("mean_hr", "sdnn", "rmssd", "pnn50") if key not in got]
    require(not missing, f"The dict lacks {missing}; it has {sorted(map(str, got))}.")
    for key, value in want.items():
        if isinstance(got[key], bool) or not isinstance(got[key], float):
            fail(
                f"Expected {key} as a Python float, got {type(got[key]).__name__}.",
                "wrap it in float(...)",
            )
        what = f"{key} of {len(r_peaks)} beats"
        named = {words: values[key] for words, values in (mistakes or {}).items() if key in values}
        if math.isnan(value) != math.isnan(got[key]):
            fail(
                f"Expected {what} to be {value:.5g}, got {got[key]:.5g}.",
                "mean_hr needs two beats, the other three need three; below that, nan",
            )
        same(float(got[key]), value, what, rtol=1e-4, atol=1e-4, mistakes=named)


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


# ---------------------------------------------------------------------------- fusion


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
    return "plain and weighted means, missing entries with nan, arrays, tensors, gradients"


def assert_late(
    answer: Callable[..., Any],
    probabilities: Sequence[NDArray[Any]],
    weights: NDArray[Any] | None,
    available: NDArray[Any] | None,
    want: NDArray[Any],
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Compare late fusion with known values, for arrays and tensors of both float dtypes."""
    for kind in ("array", "tensor"):
        for dtype in (np.float64, np.float32):
            to = np.asarray if kind == "array" else torch.as_tensor
            if probabilities[0].dtype.kind == "f":
                p = [to(q.astype(dtype)) for q in probabilities]
            else:
                p = [to(q) for q in probabilities]
            w = None if weights is None else to(weights.astype(dtype))
            a = None if available is None else to(available)
            args = [p] if w is None and a is None else [p, w] if a is None else [p, w, a]
            got = call(answer, *args)
            if isinstance(got, Tensor) != (kind == "tensor") or not isinstance(
                got, Tensor | np.ndarray
            ):
                fail(
                    f"{kind}s came in, {type(got).__name__} came out.",
                    "return the kind that you got",
                )
            if p[0].dtype in (np.float32, np.float64, torch.float32, torch.float64):
                require(got.dtype == p[0].dtype, f"Expected dtype {p[0].dtype}, got {got.dtype}.")
            same(
                np.asarray(got, dtype=float),
                want,
                f"the fused probabilities ({kind})",
                rtol=1e-4,
                atol=1e-5,
                mistakes=mistakes,
            )


def assert_late_gradient(
    answer: Callable[..., Any], holes: Sequence[NDArray[Any]], there: NDArray[Any]
) -> None:
    """Gradients of the fused probabilities flow to what is there and stay finite."""
    some = there.any(axis=1)
    p = [torch.as_tensor(q[some]).requires_grad_() for q in holes]
    fused = call(answer, p, None, torch.as_tensor(there[some]))
    if not fused.requires_grad:
        fail("No gradient flows through the fused probabilities.", "stay with tensors throughout")
    grads = torch.autograd.grad(fused.sum(), p, allow_unused=True)
    for m, grad in enumerate(grads):
        if grad is None or not bool((grad[torch.as_tensor(there[some, m])] > 0).all()):
            fail(f"No gradient reaches the probabilities of modality {m}.")
        require(
            _finite(grad),
            f"The gradient in modality {m} is not finite.",
            "replace missing entries (torch.where) before you multiply",
        )


def _build(answer: Any, *args: Any, dtype: torch.dtype = torch.float32, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    module = call(answer, *args)
    if not isinstance(module, nn.Module):
        fail(f"Expected an nn.Module, got {type(module).__name__}.", "inherit from nn.Module")
    return module.to(dtype)


def _logits(module: nn.Module, *args: Any, shape: tuple[int, ...]) -> Tensor:
    got = call(module, *args)
    if not isinstance(got, Tensor):
        fail(f"Expected the logits as a tensor, got {type(got).__name__}.")
    require(tuple(got.shape) == shape, f"Expected logits of shape {shape}, got {tuple(got.shape)}.")
    return got


def assert_fusion(
    answer: Any,
    dims: Sequence[int],
    hidden: int,
    classes: int,
    *,
    batch: int = 6,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> None:
    """Everything that is asked of intermediate fusion, for one size."""
    module = _build(answer, list(dims), hidden, classes, dtype=dtype, seed=seed).eval()
    x = [_normal(seed + 10 * m, batch, d, dtype=dtype) for m, d in enumerate(dims)]
    full = torch.ones(batch, len(dims), dtype=torch.bool)
    plain = _logits(module, x, shape=(batch, classes))
    require(plain.dtype == dtype, f"Expected logits of {dtype}, got {plain.dtype}.")
    require(_finite(plain), "The logits are not finite.")
    rtol, atol = (1e-4, 1e-5) if dtype == torch.float32 else (1e-7, 1e-9)
    same(
        _logits(module, x, full, shape=(batch, classes)),
        plain,
        "the logits with available all True (as with available=None)",
        rtol=rtol,
        atol=atol,
    )
    _assert_mixed(module, x, classes)
    _assert_each_used(module, x)
    _assert_missing(module, x, plain, rtol, atol)
    _assert_gradients_with_holes(module, x)
    _assert_small_batches(module, x, classes)


def _assert_mixed(module: nn.Module, x: list[Tensor], classes: int) -> None:
    """No pair of modalities only adds up: the mixed difference is not zero."""
    for a in range(len(x)):
        for b in range(a + 1, len(x)):
            biggest = size = 0.0
            for scale in (1.0, 3.0, 10.0):

                def f(
                    flip_a: bool, flip_b: bool, scale: float = scale, a: int = a, b: int = b
                ) -> Tensor:
                    inputs = [scale * v for v in x]
                    inputs[a] = inputs[a].flip(0) if flip_a else inputs[a]
                    inputs[b] = inputs[b].flip(0) if flip_b else inputs[b]
                    return _logits(module, inputs, shape=(len(x[0]), classes)).detach()

                parts = [f(False, False), f(True, False), f(False, True), f(True, True)]
                mixed = parts[0] - parts[1] - parts[2] + parts[3]
                biggest = max(biggest, float(mixed.abs().max()))
                size = max(size, max(float(v.abs().max()) for v in parts))
            floor = 1e-3 if x[0].dtype == torch.float32 else 1e-6
            require(
                biggest > floor * max(size, 1e-3),
                f"Modalities {a} and {b} only add up: f(a,b) - f(a',b) - f(a,b') + f(a',b') = "
                f"{biggest:.2g}.",
                "after the fusion stands a linear layer alone, or logits are averaged: put a "
                "non-linear layer after it",
            )


def _assert_each_used(module: nn.Module, x: list[Tensor]) -> None:
    inputs = [_leaf(v) for v in x]
    out = call(module, inputs)
    weight = _normal(99, *out.shape, dtype=out.dtype)
    grads = torch.autograd.grad((out * weight).sum(), inputs, allow_unused=True)
    for m, grad in enumerate(grads):
        require(
            grad is not None and bool((grad != 0).any()),
            f"Modality {m} does not reach the logits (no gradient).",
        )


def _assert_missing(
    module: nn.Module, x: list[Tensor], plain: Tensor, rtol: float, atol: float
) -> None:
    batch, classes = plain.shape
    for m in range(len(x)):
        gone = torch.ones(batch, len(x), dtype=torch.bool)
        gone[::2, m] = False
        base = _logits(module, x, gone, shape=(batch, classes))
        for value in (float("nan"), float("inf"), 1e4):
            holes = [v.clone() for v in x]
            holes[m][::2] = value
            got = _logits(module, holes, gone, shape=(batch, classes))
            if not _finite(got):
                fail(
                    f"Missing entries of modality {m} hold {value}: the logits are not finite.",
                    "nan times 0 is nan: replace the *input* of a missing modality (torch.where, "
                    "masked_fill) before the encoder",
                )
            same(
                got,
                base,
                f"the logits when missing values of modality {m} hold {value}",
                rtol=rtol,
                atol=atol,
            )
        same(
            base[1::2],
            plain[1::2],
            "the logits of patients who miss nothing, beside some who do",
            rtol=rtol,
            atol=atol,
        )
        difference = (base[::2] - plain[::2]).abs().max()
        require(
            bool(difference > 0),
            f"Leaving out modality {m} changes nothing.",
            "`available` is not used",
        )
        for other in set(range(len(x))) - {m}:
            moved = [v.clone() for v in x]
            moved[other] = moved[other].flip(0) * 2.0
            change = (_logits(module, moved, gone, shape=(batch, classes)) - base)[::2].abs().max()
            require(
                bool(change > 0),
                f"When modality {m} is missing, modality {other} does not matter any more.",
                "leave out what is missing, and keep what is there",
            )
    nothing = torch.zeros(batch, len(x), dtype=torch.bool)
    empty = [torch.full_like(v, float("nan")) for v in x]
    got = _logits(module, empty, nothing, shape=(batch, classes))
    require(
        _finite(got),
        "With no modality at all the logits are not finite.",
        "a mean over nothing is 0/0: divide by at least 1",
    )


def _assert_gradients_with_holes(module: nn.Module, x: list[Tensor]) -> None:
    """Missing entries hold nan, and one patient has nothing: parameters and inputs stay finite."""
    batch = len(x[0])
    there = torch.ones(batch, len(x), dtype=torch.bool)
    for m in range(len(x)):
        there[m % batch, m] = False
    there[-1] = False
    inputs = []
    for m, v in enumerate(x):
        v = v.clone()
        v[~there[:, m]] = float("nan")
        inputs.append(v.requires_grad_())
    module.zero_grad(set_to_none=True)
    out = call(module, inputs, there)
    require(out.requires_grad, "No gradient flows through the logits.")
    out.pow(2).sum().backward()
    for name, parameter in module.named_parameters():
        require(
            _finite(parameter.grad),
            f"The gradient of parameter `{name}` is not finite when missing entries hold nan.",
            "mask the input before the encoder, not its output",
        )
    for m, v in enumerate(inputs):
        require(_finite(v.grad), f"The gradient in the input of modality {m} is not finite.")
    module.zero_grad(set_to_none=True)


def _assert_small_batches(module: nn.Module, x: list[Tensor], classes: int) -> None:
    module.train()
    one = [v[:1] for v in x]
    got = _logits(module, one, shape=(1, classes))
    require(
        _finite(got),
        "A batch of one in training mode gives logits that are not finite.",
        "batch statistics of a single patient: use LayerNorm or none instead of BatchNorm",
    )
    gone = torch.zeros(1, len(x), dtype=torch.bool)
    require(
        _finite(_logits(module, one, gone, shape=(1, classes))),
        "A batch of one without any modality gives logits that are not finite.",
    )
    module.eval()


@NOTEBOOK.exercise(points=6)
def IntermediateFusion(answer: Any) -> str:
    assert_fusion(answer, (5, 3), 8, 2)
    assert_fusion(answer, (4, 6, 2), 9, 3, dtype=torch.float32, seed=1)
    return (
        "shapes, interaction after the fusion, missing modalities with nan and inf, nobody there, "
        "gradients, a batch of one, two dtypes"
    )


def _attend(module: nn.Module, *args: Any, heads: int) -> tuple[Tensor, Tensor]:
    got = call(module, *args)
    if not isinstance(got, tuple | list) or len(got) != 2:
        fail(f"Expected (out, weights), got {type(got).__name__}.")
    query, context = args[0], args[1]
    shape = (query.shape[0], heads, query.shape[1], context.shape[1])
    for name, value, want in (("out", got[0], tuple(query.shape)), ("weights", got[1], shape)):
        if not isinstance(value, Tensor) or tuple(value.shape) != want:
            seen = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            averaged = name == "weights" and seen == (shape[0], *shape[2:])
            fail(
                f"Expected {name} of shape {want}, got {seen}.",
                "the heads were averaged: keep (B, H, T, S)" if averaged else None,
            )
        require(value.dtype == query.dtype, f"Expected {name} of {query.dtype}, got {value.dtype}.")
    return got[0], got[1]


def assert_cross_attention(
    answer: Any,
    *,
    width: int,
    heads: int,
    batch: int,
    queries: int,
    keys: int,
    seed: int,
    dtype: torch.dtype,
) -> None:
    """Everything that is asked of cross-attention, for one size; the layout is free."""
    module = _build(answer, width, heads, dtype=dtype, seed=seed).eval()
    sizes = sum(p.numel() for p in module.parameters() if p.dim() >= 2)
    require(
        sizes >= 4 * width * width,
        f"The maps hold {sizes} weights; query, key, value and output "
        f"need {4 * width * width} at d_model = {width}.",
        "one map is used twice or missing",
    )
    query = _normal(seed + 1, batch, queries, width, dtype=dtype)
    context = 1.5 * _normal(seed + 2, batch, keys, width, dtype=dtype)
    rtol, atol = (1e-4, 2e-5) if dtype == torch.float32 else (1e-7, 1e-9)
    close: dict[str, Any] = {"rtol": rtol, "atol": atol}
    out, weights = _attend(module, query, context, heads=heads)
    same(
        weights.sum(-1), torch.ones_like(weights[..., 0]), "the sum of each row of weights", **close
    )
    require(bool((weights >= 0).all()), "Some weights are negative.")
    if heads > 1 and keys > 1:
        require(
            bool((weights[:, 0] - weights[:, 1]).abs().max() > 10 * atol),
            "All heads have the same weights.",
            "split d_model into heads, each with its own part",
        )
    full = torch.ones(batch, keys, dtype=torch.bool)
    same(
        _attend(module, query, context, full, heads=heads)[0],
        out,
        "out with context_available all True (as with None)",
        **close,
    )
    order = torch.arange(keys).flip(0)
    flipped = _attend(module, query, context[:, order], heads=heads)
    same(flipped[0], out, "out after turning round the order of the context", **close)
    same(flipped[1], weights[..., order], "weights after turning round the context", **close)
    module.train()
    same(
        _attend(module, query, context, heads=heads)[0],
        out,
        "out in training mode (no dropout)",
        **close,
    )
    module.eval()
    _assert_plain(module, query, context, heads, close)
    _assert_known_maps(module, width, heads, batch, queries, keys, seed, dtype)
    _assert_context_mask(answer, module, query, context, heads, close)


def _assert_plain(
    module: nn.Module, query: Tensor, context: Tensor, heads: int, close: Mapping[str, Any]
) -> None:
    """With one context token the query cannot matter, and out is affine in the context."""
    a, b = context[:, :1], query[:, :1] * 0.7 + 0.2
    first = _attend(module, query, a, heads=heads)[0]
    same(
        _attend(module, query.flip(1) * 2.0 + 1.0, a, heads=heads)[0],
        first,
        "out with a single context token, for other queries",
        mistakes=None,
        **close,
    )
    second, zero = (_attend(module, query, v, heads=heads)[0] for v in (b, torch.zeros_like(a)))
    both = _attend(module, query, a + b, heads=heads)[0]
    gap = float((both - first - second + zero).abs().max())
    require(
        gap < 100 * close["atol"] * max(1.0, float(both.abs().max())),
        f"With one context token, out is not linear in it (gap {gap:.2g}).",
        "no residual, no normalisation, no non-linearity here",
    )


def _assert_known_maps(
    module: nn.Module,
    width: int,
    heads: int,
    batch: int,
    queries: int,
    keys: int,
    seed: int,
    dtype: torch.dtype,
) -> None:
    """Set every map to the mean over the features: then vectors a·1 and b·1 give known weights."""
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    if any(p.dim() >= 2 and p.numel() % (width * (width // heads)) for p in module.parameters()):
        return  # a layout that we do not know
    with torch.no_grad():
        for p in module.parameters():
            p.fill_(1.0 / width if p.dim() >= 2 else 0.0)
    a = _normal(seed + 3, batch, queries, 1, dtype=dtype)
    b = _normal(seed + 4, batch, keys, 1, dtype=dtype)
    per_head = width // heads

    def weights_at(factor: float) -> Tensor:
        one = torch.softmax(factor * a * b.transpose(1, 2), dim=-1)  # (B, T, S)
        return one[:, None].expand(batch, heads, queries, keys)

    want = weights_at(per_head / math.sqrt(per_head))
    query, context = a.expand(-1, -1, width), b.expand(-1, -1, width)
    out, weights = _attend(module, query.contiguous(), context.contiguous(), heads=heads)
    mistakes = {
        "scores are divided by sqrt(d_model); the width of one head counts": weights_at(
            per_head / math.sqrt(width)
        ),
        "the scores are not divided by sqrt(d_model / num_heads)": weights_at(per_head),
        "scores are divided by the width itself, not by its root": weights_at(1.0),
        "scores are divided by sqrt(num_heads)": weights_at(per_head / math.sqrt(heads)),
    }
    same(
        weights,
        want,
        "the weights for maps that are known",
        mistakes=mistakes,
        rtol=1e-4,
        atol=1e-5,
    )
    attended = (want[:, 0] @ b).expand(-1, -1, width)
    same(
        out,
        attended.contiguous(),
        "out for maps that are known",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "a residual: the query was added to the output": attended + query,
            "the context's mean was taken instead of its weighted mean": b.mean(
                1, keepdim=True
            ).expand(batch, queries, width),
        },
    )
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(kept[name])


def _assert_context_mask(
    answer: Any,
    module: nn.Module,
    query: Tensor,
    context: Tensor,
    heads: int,
    close: Mapping[str, Any],
) -> None:
    batch, keys = context.shape[:2]
    there = torch.ones(batch, keys, dtype=torch.bool)
    there[:, -1] = keys == 1
    there[-1] = False
    out, weights = _attend(module, query, context, there, heads=heads)
    hidden = (~there)[:, None, None].expand_as(weights)
    require(
        _finite(out) and _finite(weights),
        "A patient without any context gives values that are not finite.",
        "a softmax over a row of -inf is 0/0: set those weights to zero",
    )
    require(
        not bool(weights[hidden].any()),
        "Context that is not available has weights above zero.",
        "True = may be attended: fill the scores with -inf where it is False, before the softmax",
    )
    require(not bool(weights[-1].any()), "Without any context the weights have to be zero.")
    if batch > 1 and keys > 1:
        same(
            out[:-1],
            _attend(module, query[:-1], context[:-1, :-1], heads=heads)[0],
            "out with the last context token unavailable (as without it)",
            **close,
        )
    lonely = out[-1]
    same(lonely, lonely[:1].expand_as(lonely), "out without context, for every query", **close)
    far = _attend(module, query * 3 + 1, context * -2, there, heads=heads)[0]
    same(
        far[-1],
        lonely,
        "out without context, for other queries and values (the output map of zero)",
        **close,
    )
    _assert_lonely_value(module, lonely, query, context, heads, close)
    for value in (float("nan"), float("inf"), 1e4):
        holes = context.clone()
        holes[~there] = value
        got = _attend(module, query, holes, there, heads=heads)
        if not _finite(got[0]) or not _finite(got[1]):
            fail(
                f"Unavailable context holds {value}: the output is not finite.",
                "weight 0 times nan is nan: set unavailable context to zero before the maps",
            )
        same(got[0], out, f"out when unavailable context holds {value}", **close)
        same(got[1], weights, f"weights when unavailable context holds {value}", **close)
    _assert_attention_gradients(module, query, context, there, heads)


def _assert_lonely_value(
    module: nn.Module,
    lonely: Tensor,
    query: Tensor,
    context: Tensor,
    heads: int,
    close: Mapping[str, Any],
) -> None:
    """The output map of zero: its bias. With every bias zeroed, nothing is left."""
    kept = {name: p.detach().clone() for name, p in module.named_parameters()}
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() < 2:
                p.zero_()
    nothing = torch.zeros(context.shape[:2], dtype=torch.bool)
    got = _attend(module, query, context, nothing, heads=heads)[0]
    same(got, torch.zeros_like(got), "out without context when every bias is zero", **close)
    with torch.no_grad():
        for i, (name, p) in enumerate(module.named_parameters()):
            p.copy_(kept[name] if p.dim() >= 2 else torch.full_like(p, 0.3 + 0.1 * i))
    biased = _attend(module, query, context, nothing, heads=heads)[0]
    biases = [p for p in module.parameters() if p.dim() == 1 and p.numel() == query.shape[-1]]
    if len(biases) == sum(p.dim() == 1 for p in module.parameters()) and biases:
        fits = [torch.allclose(biased, p.expand_as(biased), atol=1e-5) for p in biases]
        require(
            any(fits),
            "Without context out is not the output map of zero (its bias).",
            "zero the attended values, then apply the output map; do not let the value map's bias "
            "through",
        )
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(kept[name])


def _assert_attention_gradients(
    module: nn.Module, query: Tensor, context: Tensor, there: Tensor, heads: int
) -> None:
    query, holes = _leaf(query), context.clone()
    holes[~there] = float("nan")
    holes.requires_grad_()
    module.zero_grad(set_to_none=True)
    out, _ = _attend(module, query, holes, there, heads=heads)
    require(out.requires_grad, "No gradient flows through out.")
    out.pow(2).sum().backward()
    grads = {"query_tokens": query.grad, "context_tokens": holes.grad}
    grads |= {f"parameter {name}": p.grad for name, p in module.named_parameters()}
    for name, grad in grads.items():
        require(
            _finite(grad),
            f"The gradient of {name} is not finite when context is missing.",
            "set unavailable context to zero, and guard rows without any context, before the "
            "softmax",
        )
    if bool(there.any()):
        require(
            holes.grad is not None and bool((holes.grad != 0).any()),
            "No gradient reaches the context.",
        )
    if int(there.sum(-1).max()) > 1:
        require(
            query.grad is not None and bool((query.grad != 0).any()),
            "No gradient reaches the query.",
        )
    module.zero_grad(set_to_none=True)


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


def assert_divides(answer: Any, width: int, heads: int) -> None:
    """A width that the heads do not divide raises a ValueError that names both numbers."""
    try:
        answer(width, heads)
    except ValueError as error:
        if str(width) not in str(error) or str(heads) not in str(error):
            fail(f"The ValueError says '{error}'.", f"name both numbers, {width} and {heads}")
    except NotImplementedError:
        call(answer, width, heads)
    except Exception as error:
        fail(
            f"d_model={width}, num_heads={heads} raises {type(error).__name__}.",
            "raise ValueError when heads do not divide",
        )
    else:
        fail(
            f"d_model={width} with num_heads={heads} is accepted.",
            "raise ValueError naming both numbers when heads do not divide",
        )
