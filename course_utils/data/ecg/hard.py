"""Records on which detectors stumble: pauses, pacing, a loose lead, ectopy, ST elevation, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from course_utils.data.ecg.ecg import ECG, make_ecg

__all__ = ["HARD_KINDS", "make_hard_ecg"]

HARD_KINDS = (
    "pauses",
    "pacing spikes",
    "lead off",
    "bigeminy",
    "ST elevation",
    "muscle at 0 dB",
    "motion at 0 dB",
)
"""What can be asked of :func:`make_hard_ecg`."""

Lead = tuple[NDArray[np.float64], NDArray[np.int64]]


def make_hard_ecg(
    kind: str,
    n_samples: int,
    *,
    duration_s: float = 20.0,
    sampling_rate: float = 250.0,
    random_state: int | np.random.Generator | None = None,
) -> ECG:
    """Make records of one difficulty, lead II, with the true beats.

    "pauses": the heart stands still for 3 s, twice. "pacing spikes": an atrial pacemaker's spike of
    5 mV stands 180 ms before each R. "lead off": the electrode hangs loose for 4 s, with a step of
    4 mV at either end; nothing can be found there and nothing is true there. "bigeminy": every
    second beat is a ventricular ectopic one. "ST elevation": after R the lead stays near the height
    of R until the end of T. "muscle at 0 dB": noise above 20 Hz with as much power as the signal;
    "motion at 0 dB": as much noise between 5 and 20 Hz. The others have white noise of 0.02 mV.

    Parameters
    ----------
    kind : one of `HARD_KINDS`.
    n_samples : number of records, at least 1.
    duration_s, sampling_rate : at least 15 s; Hz.
    random_state : seed or generator.

    Returns
    -------
    ECG as :func:`make_ecg` gives it; `wave_peaks` knows R alone.

    Raises
    ------
    ValueError
        For an unknown kind, no records, or fewer than 15 s.
    """
    if kind not in HARD_KINDS:
        raise ValueError(f"kind={kind!r}: wanted one of {', '.join(HARD_KINDS)}")
    if n_samples < 1 or duration_s < 15.0:
        raise ValueError(
            f"n_samples={n_samples}, duration_s={duration_s}: wanted at least 1 record of 15 s"
        )
    rng = np.random.default_rng(random_state)
    noise = {"muscle_snr_db": 0.0} if kind == "muscle at 0 dB" else "none"
    plain = make_ecg(
        n_samples,
        duration_s=duration_s,
        sampling_rate=sampling_rate,
        rhythm="ventricular_ectopics" if kind == "bigeminy" else "normal",
        heart_rate=rng.uniform(65.0, 85.0, n_samples),
        noise=noise,
        random_state=rng,
    )
    if kind == "muscle at 0 dB":
        return plain
    if kind == "motion at 0 dB":
        shaking = _motion(plain.clean, sampling_rate, rng)
        return replace(plain, signals=plain.clean + shaking)
    change = {
        "pauses": _pauses,
        "pacing spikes": _spikes,
        "lead off": _lead_off,
        "bigeminy": _bigeminy,
        "ST elevation": _st_elevation,
    }[kind]
    leads, beats = [], []
    for i in range(n_samples):
        x, peaks = change(plain.signals[i, 0].astype(np.float64), plain.beats(i), sampling_rate)
        leads.append(x)
        beats.append(peaks)
    clean = np.stack(leads)[:, None].astype(np.float32)
    r_peaks = np.full((n_samples, max(map(len, beats))), -1, dtype=np.int64)
    for row, peaks in zip(r_peaks, beats, strict=True):
        row[: len(peaks)] = peaks
    types = np.where(r_peaks >= 0, 0, -1).astype(np.int8)
    if kind == "bigeminy":
        types[:, 1::2] = np.where(r_peaks[:, 1::2] >= 0, 1, -1)
    waves = np.full((*r_peaks.shape, 5), -1, dtype=np.int64)
    waves[..., 2] = r_peaks
    white = rng.normal(0.0, 0.02, clean.shape).astype(np.float32)
    return replace(
        plain,
        signals=clean + white,
        clean=clean,
        r_peaks=r_peaks,
        beat_types=types,
        wave_peaks=waves,
    )


def _motion(
    clean: NDArray[np.float32], rate: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise between 5 and 20 Hz, where QRS complexes are, as strong as each lead."""
    band = butter(4, [5.0, 20.0], btype="bandpass", fs=rate, output="sos")
    noise = sosfiltfilt(band, rng.normal(size=clean.shape), axis=-1)
    share = clean.std(axis=-1, keepdims=True) / noise.std(axis=-1, keepdims=True)
    return (noise * share).astype(np.float32)


def _pauses(x: NDArray[np.float64], beats: NDArray[np.int64], rate: float) -> Lead:
    """Insert 3 s of nothing before the P wave of two beats; what is pushed out is lost."""
    still = round(3.0 * rate)
    for beat in (len(beats) // 4, len(beats) // 2):
        at = int(beats[beat] - 0.3 * rate)
        x = np.concatenate([x[:at], np.full(still, x[at]), x[at:]])[: len(x)]
        beats = np.where(beats >= at, beats + still, beats)
    return x, beats[beats < len(x)]


def _spikes(x: NDArray[np.float64], beats: NDArray[np.int64], rate: float) -> Lead:
    """Add a spike of 2 ms (one sample at least) 180 ms before each R."""
    at = beats - round(0.18 * rate)
    x = x.copy()
    for shift in range(max(1, round(0.002 * rate))):
        inside = at + shift
        x[inside[(inside >= 0) & (inside < len(x))]] += 5.0
    return x, beats


def _lead_off(x: NDArray[np.float64], beats: NDArray[np.int64], rate: float) -> Lead:
    """Four seconds of a constant 4 mV; beats that lie there are not to be found."""
    start = len(x) // 2 - round(2.0 * rate)
    stop = start + round(4.0 * rate)
    x = x.copy()
    x[start:stop] = 4.0
    return x, beats[(beats < start) | (beats >= stop)]


def _bigeminy(x: NDArray[np.float64], beats: NDArray[np.int64], rate: float) -> Lead:
    """Repeat one conducted beat, the ectopic beat behind it, and the pause."""
    gaps = np.diff(beats)
    ectopic = 2 + int(np.argmax(gaps[2:-1] / gaps[1:-2]))  # an early beat and then a pause
    start = int(beats[ectopic - 1] - 0.3 * rate)
    stop = int(beats[ectopic + 1] - 0.3 * rate)
    pair = beats[[ectopic - 1, ectopic]] - start
    times = -(-len(x) // (stop - start))
    every = (np.arange(times)[:, None] * (stop - start) + pair).ravel()
    return np.tile(x[start:stop], times)[: len(x)], every[every < len(x)]


def _st_elevation(x: NDArray[np.float64], beats: NDArray[np.int64], rate: float) -> Lead:
    """Add a hill of 0.9 of R from just behind R to the end of T."""
    width = round(0.34 * rate)
    hill = np.hanning(width + 2)[1:-1] ** 0.5
    x, height = x.copy(), 0.9 * float(np.median(x[beats]))
    for beat in beats + round(0.02 * rate):
        part = x[beat : beat + width]
        part += height * hill[: len(part)]
    return x, beats
