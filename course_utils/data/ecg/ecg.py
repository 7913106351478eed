"""Electrocardiograms with known beats: every wave is placed, so every detector can be scored.

A heart beat is drawn as a sum of bell curves (P, Q, R, S and T), the idea of the dynamical model of
McSharry et al. (2003), but placed in time directly, so that thousands of records are made at once.

References
----------
McSharry, Clifford, Tarassenko, Smith (2003), A dynamical model for generating synthetic
    electrocardiogram signals, IEEE Transactions on Biomedical Engineering 50(3).
Fridericia (1920), Die Systolendauer im Elektrokardiogramm bei normalen Menschen und bei
    Herzkranken, Acta Medica Scandinavica 53.
Task Force of the ESC and NASPE (1996), Heart rate variability,
    Circulation 93(5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from course_utils.data.ecg.noise import Bases, disturb
from course_utils.data.ecg.painting import (
    RHYTHMS,
    WAVES,
    amplitudes_of,
    beat_times,
    render,
    truth_of,
    wave_timing,
)

__all__ = [
    "ECG",
    "LEADS",
    "NOISE_PRESETS",
    "RATE_RANGES",
    "RHYTHMS",
    "WAVES",
    "make_ecg",
    "score_r_peaks",
]

RATE_RANGES = {
    "normal": (60.0, 100.0),
    "bradycardia": (35.0, 58.0),
    "tachycardia": (105.0, 180.0),
    "atrial_fibrillation": (70.0, 150.0),
    "ventricular_ectopics": (60.0, 95.0),
}
"""Heart rates in beats per minute from which each rhythm draws."""

NOISE_PRESETS: dict[str, dict[str, float]] = {
    "none": {},
    "light": {"wander": 0.10, "mains": 0.01, "muscle": 0.015, "white": 0.01},
    "ward": {"wander": 0.35, "mains": 0.06, "muscle": 0.05, "white": 0.02},
}
"""Named noise levels in mV: peak of the wander and the mains hum, root mean square of the rest."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads."""

_CHUNK = 2**18  # samples drawn at once: what is being worked on stays in the cache
_NOISE_KEYS = ("wander", "mains", "muscle", "white", "muscle_snr_db", "mains_hz")


@dataclass(frozen=True)
class ECG:
    """Records and the truth about them.

    Shapes
    ------
    `n` records, `L` leads, `T` samples, at most `K` beats in a record.

    Attributes
    ----------
    signals : (n, L, T) float32, mV, as an electrode would see it.
    clean : (n, L, T) float32, mV, the same without wander, mains and muscle noise.
    r_peaks : (n, K) int64, sample index of every R wave inside the record, then -1.
    beat_types : (n, K) int8, 0 conducted beat, 1 ventricular ectopic beat, -1 no beat.
    wave_peaks : (n, K, 5) int64, sample index of P, Q, R, S and T; -1 where a wave is absent.
    rhythm : (n,) int64, position in `RHYTHMS`.
    heart_rate : (n,) float64, beats per minute the record was drawn with.
    inverted : (n,) bool, True where all leads are upside down.
    sampling_rate : float, Hz.
    leads : names of the L leads.
    """

    signals: NDArray[np.float32]
    clean: NDArray[np.float32]
    r_peaks: NDArray[np.int64]
    beat_types: NDArray[np.int8]
    wave_peaks: NDArray[np.int64]
    rhythm: NDArray[np.int64]
    heart_rate: NDArray[np.float64]
    inverted: NDArray[np.bool_]
    sampling_rate: float
    leads: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rhythm)

    def beats(self, index: int) -> NDArray[np.int64]:
        """Sample indices of the R waves of one record, without padding."""
        row = self.r_peaks[index]
        return row[row >= 0]


def make_ecg(
    n_samples: int,
    *,
    duration_s: float = 10.0,
    sampling_rate: float = 250.0,
    rhythm: str | Sequence[str] | ArrayLike = "normal",
    leads: Sequence[str] = ("II",),
    noise: str | Mapping[str, float] = "light",
    heart_rate: ArrayLike | None = None,
    inverted: bool | ArrayLike = False,
    t_to_r: float | None = None,
    variability: float = 1.0,
    random_state: int | np.random.Generator | None = None,
) -> ECG:
    """Make electrocardiograms whose beats are known.

    Parameters
    ----------
    n_samples : number of records; 0 gives empty arrays.
    duration_s, sampling_rate : length in seconds and rate in Hz.
    rhythm : one of `RHYTHMS`, "mixed" (drawn evenly), or one name (or position) for each record.
    leads : any of `LEADS`.
    noise : "none", "light", "ward", or a mapping with any of `wander` and `mains` (peak, mV),
        `muscle` and `white` (root mean square, mV), `muscle_snr_db` (muscle noise at this ratio of
        signal to noise power instead) and `mains_hz` (50 by default).
    heart_rate : beats per minute, one number or one for each record; by default each rhythm draws
        from `RATE_RANGES`.
    inverted : True turns the leads upside down, for all or for each record.
    t_to_r : height of T as a fraction of R in every lead; by default each lead has its own.
    variability : multiplies the natural variation of the beat-to-beat interval.
    random_state : seed or generator.

    Returns
    -------
    ECG

    Notes
    -----
    Rhythms: the sinus rhythms vary with breathing (about 0.25 Hz) and with Mayer waves (0.1 Hz). In
    atrial fibrillation intervals are irregular, P waves are absent and the baseline trembles at
    4-9 Hz. A ventricular ectopic beat comes early, is broad, has no P wave and a T wave against
    it, and is followed by a compensatory pause. The QT interval follows the preceding beat
    interval by Fridericia's formula, QT = QTc * (RR / 1 s) ** (1/3).

    Units
    -----
    mV, Hz, seconds, beats per minute.

    Raises
    ------
    ValueError
        For a negative number of records, unknown rhythms, leads or noise, a record shorter than
        2 s, a sampling rate below 100 Hz, or heart rates outside 20-250.
    """
    n_samples, leads = _check_size(n_samples, duration_s, sampling_rate, leads)
    levels = _noise_levels(noise)
    draw_rhythm, draw_beats, draw_shape, draw_noise = np.random.default_rng(random_state).spawn(4)
    kind = _rhythm_codes(rhythm, n_samples, draw_rhythm)
    rate = _heart_rates(heart_rate, kind, draw_rhythm)
    flipped = np.broadcast_to(np.asarray(inverted, dtype=bool), (n_samples,)).copy()

    beats = beat_times(kind, rate, duration_s, variability, draw_beats)
    timing = wave_timing(beats)
    n_steps = round(duration_s * sampling_rate)
    amplitudes = amplitudes_of(leads, n_samples, t_to_r, draw_shape)
    clean, signals = np.empty((2, n_samples, len(leads), n_steps), dtype=np.float32)
    trembles = bool((kind == RHYTHMS.index("atrial_fibrillation")).any())
    bases = Bases.of(levels, trembles, n_steps, sampling_rate)
    at_once = max(1, _CHUNK // (n_steps * len(leads)))
    for first in range(0, n_samples, at_once):
        rows = slice(first, min(first + at_once, n_samples))
        when = {wave: (centre[rows], width[rows]) for wave, (centre, width) in timing.items()}
        part = clean[rows]
        render(beats.rows(rows), when, amplitudes[rows], kind[rows], bases, draw_shape, part)
        part[flipped[rows]] *= -1.0
        disturb(part, levels, bases, draw_noise, signals[rows])
    r_peaks, beat_types, wave_peaks = truth_of(beats, timing, n_steps, sampling_rate)
    return ECG(
        signals=signals,
        clean=clean,
        r_peaks=r_peaks,
        beat_types=beat_types,
        wave_peaks=wave_peaks,
        rhythm=kind,
        heart_rate=rate,
        inverted=flipped,
        sampling_rate=float(sampling_rate),
        leads=leads,
    )


def score_r_peaks(
    true_peaks: ArrayLike,
    found_peaks: ArrayLike,
    sampling_rate: float,
    *,
    tolerance_ms: float = 50.0,
    edge_ms: float = 0.0,
    n_steps: int | None = None,
) -> dict[str, float]:
    """Match found beats to true ones, each at most once, nearest in time first.

    Beats closer than `edge_ms` to the start, or to the end of a record of `n_steps` samples, are
    not scored: a true beat there may be missed, and a found beat there is not held against anyone.

    Returns
    -------
    dict with `sensitivity` (found among true), `precision` (true among found), `offset_ms` (median
    of found minus true), and the counts `matched`, `true`, `found`; nan where undefined.
    """
    true = np.asarray(true_peaks, dtype=np.float64)
    found = np.asarray(found_peaks, dtype=np.float64)
    true_match, found_match = np.full(len(true), -1), np.full(len(found), -1)
    for i, j in _close_pairs(true, found, sampling_rate, tolerance_ms):
        if found_match[i] < 0 and true_match[j] < 0:
            found_match[i], true_match[j] = j, i
    edge = edge_ms / 1000.0 * sampling_rate
    last = np.inf if n_steps is None else n_steps - 1 - edge
    inside_true = (true >= edge) & (true <= last)
    inside_found = (found >= edge) & (found <= last)
    # a found beat inside that belongs to a true beat at the edge is neither right nor wrong
    inside_found |= np.isin(np.arange(len(found)), true_match[inside_true])
    at_edge = (found_match >= 0) & ~inside_true[found_match] if len(true) else found_match >= 0
    inside_found &= ~at_edge
    n_true, n_found = int(inside_true.sum()), int(inside_found.sum())
    scored = inside_true & (true_match >= 0)
    matched = int(scored.sum())
    offsets = (found[true_match[scored]] - true[scored]) / sampling_rate * 1000.0
    return {
        "sensitivity": matched / n_true if n_true else float("nan"),
        "precision": matched / n_found if n_found else float("nan"),
        "offset_ms": float(np.median(offsets)) if matched else float("nan"),
        "matched": matched,
        "true": n_true,
        "found": n_found,
    }


def _close_pairs(
    true: np.ndarray, found: np.ndarray, sampling_rate: float, tolerance_ms: float
) -> list[tuple[int, int]]:
    """Found and true beats within the tolerance of each other, the nearest first.

    Only neighbours in time are looked at, so that a day's record is no table of all by all.
    """
    order = np.argsort(true, kind="stable")
    width = tolerance_ms / 1000.0 * sampling_rate + 1.0  # one sample wider; the gap decides
    low = np.searchsorted(true[order], found - width, side="left")
    high = np.searchsorted(true[order], found + width, side="right")
    count = high - low
    i = np.repeat(np.arange(len(found)), count)
    start = np.repeat(low - (np.cumsum(count) - count), count)
    j = order[start + np.arange(len(i))]
    gap_ms = np.abs((found[i] - true[j]) / sampling_rate * 1000.0)
    near = gap_ms <= tolerance_ms + 1e-9
    i, j, gap_ms = i[near], j[near], gap_ms[near]
    nearest = np.lexsort((j, i, gap_ms))
    return list(zip(i[nearest].tolist(), j[nearest].tolist(), strict=True))


# ---------------------------------------------------------------------------- arguments


def _check_size(
    n_samples: int, duration_s: float, sampling_rate: float, leads: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    if int(n_samples) != n_samples or n_samples < 0:
        raise ValueError(f"n_samples={n_samples!r}: wanted an integer of at least 0")
    if not duration_s >= 2.0:
        raise ValueError(f"duration_s={duration_s!r}: wanted at least 2 seconds")
    if not sampling_rate >= 100.0:
        raise ValueError(f"sampling_rate={sampling_rate!r}: wanted at least 100 Hz")
    names = (leads,) if isinstance(leads, str) else tuple(leads)
    unknown = [name for name in names if name not in LEADS]
    if unknown or not names:
        raise ValueError(f"leads={leads!r}: wanted one or more of {', '.join(LEADS)}")
    return int(n_samples), names


def _noise_levels(noise: str | Mapping[str, float]) -> dict[str, float]:
    if isinstance(noise, str):
        if noise not in NOISE_PRESETS:
            raise ValueError(f"noise={noise!r}: wanted one of {', '.join(NOISE_PRESETS)} or a dict")
        return dict(NOISE_PRESETS[noise])
    levels = dict(noise)
    unknown = [key for key in levels if key not in _NOISE_KEYS]
    if unknown:
        raise ValueError(
            f"noise has unknown keys {unknown}: wanted any of {', '.join(_NOISE_KEYS)}"
        )
    return levels


def _rhythm_codes(
    rhythm: str | Sequence[str] | ArrayLike, n_samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    if isinstance(rhythm, str) and rhythm == "mixed":
        return rng.integers(0, len(RHYTHMS), n_samples)
    given = np.asarray([rhythm] * n_samples if isinstance(rhythm, str) else rhythm)
    if given.shape != (n_samples,):
        raise ValueError(f"rhythm has shape {given.shape}: wanted one name or ({n_samples},)")
    if given.dtype.kind in "iu":
        if given.size and not (given.min() >= 0 and given.max() < len(RHYTHMS)):
            raise ValueError(
                f"rhythm holds {given.min()}..{given.max()}: wanted 0..{len(RHYTHMS) - 1}"
            )
        return given.astype(np.int64)
    unknown = sorted({str(name) for name in given.tolist()} - set(RHYTHMS))
    if isinstance(rhythm, str) and rhythm not in RHYTHMS:
        unknown = [rhythm]
    if unknown:
        raise ValueError(f"rhythm={unknown[0]!r}: wanted 'mixed' or one of {', '.join(RHYTHMS)}")
    return np.array([RHYTHMS.index(str(name)) for name in given.tolist()], dtype=np.int64)


def _heart_rates(
    heart_rate: ArrayLike | None, kind: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    uniform = rng.random(len(kind))
    if heart_rate is None:
        low, high = np.array([RATE_RANGES[name] for name in RHYTHMS])[kind].T
        return low + (high - low) * uniform
    rate = np.asarray(heart_rate, dtype=np.float64)
    if rate.shape not in ((), (len(kind),)):
        raise ValueError(f"heart_rate has shape {rate.shape}: wanted one number or ({len(kind)},)")
    if rate.size and not (np.all(rate >= 20) and np.all(rate <= 250)):
        raise ValueError(f"heart_rate={heart_rate!r}: wanted 20 to 250 beats per minute")
    return np.broadcast_to(rate, (len(kind),)).copy()
