"""What the checks of notebook 03 ask of a filter and of heart rate features."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require


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
    require(
        bool(got.any()),
        "A lead that is alive gives zeros.",
        "the test for a flat lead is the wrong way round, or its border is too high",
    )
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


def assert_butterworth(
    answer: Callable[..., Any], rate: float, low: float = 0.5, high: float = 40.0, seed: int = 12
) -> None:
    """White noise comes out as from the filter asked for, far from the ends and up to its size.

    Ends are padded in many ways, so the middle alone is compared, but for its mean and scale. The
    band from 0.5 to 40 Hz is what an answer takes by itself.
    """
    from scipy.signal import butter, sosfiltfilt

    x = np.random.default_rng(seed).normal(size=round(24 * rate))
    band = () if (low, high) == (0.5, 40.0) else (low, high)
    got = _array_out(call(answer, x, rate, *band), x.shape, np.float64, "the filtered signal")
    middle = slice(len(x) // 3, 2 * len(x) // 3)

    def filtered(order: int) -> NDArray[Any]:
        edges = [low, high] if order else [0.5, 40.0]
        sections = butter(order or 4, edges, btype="bandpass", fs=rate, output="sos")
        return np.asarray(sosfiltfilt(sections, x))[middle]

    def distance(order: int) -> float:
        want, came = (y - y.mean() for y in (filtered(order), got[middle]))
        size = float(np.sqrt(np.mean(want**2)))
        slope = float(came @ want) / max(float(came @ came), 1e-300)
        return float(np.sqrt(np.mean((slope * came - want) ** 2))) / size

    if distance(4) < 0.02:
        return
    nearest = min((0, 1, 2, 3, 5, 6, 8), key=distance)
    named = f"it is what N = {nearest} gives; `butter(4, ...)` is asked for"
    fail(
        f"White noise at {rate:g} Hz differs by {distance(4):.0%} from what a Butterworth "
        f"band-pass of order 4 makes of it ({low:g} to {high:g} Hz, forwards and backwards).",
        None if distance(nearest) > 0.02 else named if nearest else "`low` and `high` are not used",
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
        require(
            bool(row.any()),
            f"Lead {i} of {x.shape} is alive but gives zeros.",
            "flat is a range of at most 1e-9 of the lead's own largest absolute value",
        )
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
        if len(r_peaks) and r_peaks[0] > 2**24:
            named["single precision cannot tell late samples apart"] = float(got[key])
        if math.isnan(value) != math.isnan(got[key]):
            fail(
                f"Expected {what} to be {value:.5g}, got {got[key]:.5g}.",
                "mean_hr needs two beats, the other three need three; below that, nan",
            )
        same(float(got[key]), value, what, rtol=1e-4, atol=1e-4, mistakes=named)
