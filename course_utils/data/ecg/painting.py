"""How an electrocardiogram is drawn: when beats come and how their waves look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from course_utils.data.ecg.noise import Bases, add_tremor

RHYTHMS = ("normal", "bradycardia", "tachycardia", "atrial_fibrillation", "ventricular_ectopics")
"""Rhythms the generator knows; `ECG.rhythm` holds positions in this tuple."""

WAVES = ("P", "Q", "R", "S", "T")

# Amplitudes in mV of P, Q, R, S, T, the broad ventricular beat, its T wave, and fibrillation waves.
# III, aVR, aVL and aVF follow from I and II by Einthoven's and Goldberger's equations.
_MEASURED_LEADS = {
    "I": (0.09, -0.06, 0.75, -0.12, 0.22, 0.95, -0.33, 0.03),
    "II": (0.15, -0.10, 1.10, -0.20, 0.32, 1.30, -0.45, 0.07),
    "V1": (0.06, 0.00, 0.22, -0.95, -0.06, -1.30, 0.40, 0.10),
    "V2": (0.08, 0.00, 0.45, -1.30, 0.42, -1.60, 0.50, 0.07),
    "V3": (0.08, -0.02, 0.80, -0.90, 0.48, -0.90, 0.40, 0.05),
    "V4": (0.09, -0.06, 1.30, -0.50, 0.44, 0.80, -0.30, 0.04),
    "V5": (0.09, -0.08, 1.30, -0.25, 0.36, 1.30, -0.40, 0.04),
    "V6": (0.08, -0.08, 1.00, -0.12, 0.28, 1.20, -0.40, 0.03),
}
_DERIVED_LEADS = {  # weights of I and II
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}

# ---------------------------------------------------------------------------- beats


@dataclass(frozen=True)
class Beats:
    """Times in seconds, all (n, K); beats outside the record are kept for their tails."""

    r: NDArray[np.float64]
    rr_before: NDArray[np.float64]
    ectopic: NDArray[np.bool_]
    has_p: NDArray[np.bool_]

    def rows(self, rows: slice) -> Beats:
        return Beats(self.r[rows], self.rr_before[rows], self.ectopic[rows], self.has_p[rows])


def beat_times(
    kind: NDArray[np.int64],
    rate: NDArray[np.float64],
    duration_s: float,
    variability: float,
    rng: np.random.Generator,
) -> Beats:
    n = len(kind)
    mean_rr = 60.0 / rate[:, None]
    n_beats = int(np.ceil((duration_s + 3.0) * (rate.max() if n else 60.0) / 60.0 * 1.35)) + 4
    step = np.arange(n_beats)[None, :]

    # sinus rhythm: breathing, Mayer waves and a remainder; the faster the heart, the smaller
    depth = variability * np.clip(mean_rr, 0.3, 1.2)
    breath_hz, mayer_hz = rng.uniform(0.2, 0.3, (n, 1)), rng.uniform(0.08, 0.12, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (2, n, 1))
    sway = 0.035 * np.sin(2 * np.pi * breath_hz * mean_rr * step + phase[0])
    sway += 0.025 * np.sin(2 * np.pi * mayer_hz * mean_rr * step + phase[1])
    sway += 0.012 * rng.standard_normal((n, n_beats))
    sinus = mean_rr * np.clip(1.0 + depth * sway, 0.7, 1.4)
    # fibrillation: independent intervals, skewed to the right, never below the refractory 0.28 s
    spread = rng.gamma(shape=12.0, scale=1.0 / 12.0, size=(n, n_beats))
    erratic = np.maximum(mean_rr * (1.0 + variability * (spread - 1.0)), 0.28)
    fibrillating = (kind == RHYTHMS.index("atrial_fibrillation"))[:, None]
    rr = np.where(fibrillating, erratic, sinus)
    r = np.cumsum(rr, axis=1) - rr[:, :1] * rng.uniform(1.0, 2.0, (n, 1)) - 0.2

    ectopic = choose_ectopics(kind, r, duration_s, rng)
    early = rng.uniform(0.30, 0.42, (n, n_beats)) * rr
    r = np.where(ectopic, r - early, r)
    before = np.diff(r, axis=1, prepend=r[:, :1] - rr[:, :1])
    return Beats(r=r, rr_before=before, ectopic=ectopic, has_p=~ectopic & ~fibrillating)


def choose_ectopics(
    kind: NDArray[np.int64], r: NDArray[np.float64], duration_s: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """About one beat in six, never two in a row, at least one well inside the record."""
    n, n_beats = r.shape
    rows = np.flatnonzero(kind == RHYTHMS.index("ventricular_ectopics"))
    chosen = (rng.random((n, n_beats)) < 0.2)[rows]
    score = np.where((r > 0.15 * duration_s) & (r < 0.85 * duration_s), rng.random(r.shape), -1.0)
    forced = score[rows].argmax(axis=1)
    chosen[np.arange(len(rows)), forced] = True
    kept = np.zeros_like(chosen)
    for beat in range(1, n_beats if len(rows) else 0):
        kept[:, beat] = chosen[:, beat] & ~kept[:, beat - 1] & (forced != beat + 1)
    mask = np.zeros((n, n_beats), dtype=bool)
    mask[rows] = kept
    return mask


Timing = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def wave_timing(beats: Beats) -> Timing:
    """Centre (s) and width (standard deviation, s) of each wave, both (n, K)."""
    rr = np.clip(beats.rr_before, 0.28, 2.0)
    qt = 0.40 * np.cbrt(rr)  # Fridericia, from the start of Q to the end of T
    pace = np.sqrt(rr)
    t_width = 0.115 * qt
    t_peak = beats.r - 0.045 + qt - 2.2 * t_width
    fixed = np.ones_like(rr)
    return {
        "P": (beats.r - 0.045 - 0.105 * np.clip(pace, 0.6, 1.2), 0.020 * np.clip(pace, 0.6, 1.1)),
        "Q": (beats.r - 0.028, 0.009 * fixed),
        "R": (beats.r, 0.0105 * fixed),
        "S": (beats.r + 0.029, 0.010 * fixed),
        "T": (t_peak, t_width),
        "V": (beats.r, 0.032 * fixed),
        "VT": (t_peak + 0.05, 1.15 * t_width),
    }


def truth_of(
    beats: Beats, timing: Timing, n_steps: int, sampling_rate: float
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]:
    index = np.stack([timing[wave][0] for wave in WAVES])  # (5, n, K)
    index[4] = np.where(beats.ectopic, timing["VT"][0], index[4])
    in_r = np.rint(beats.r * sampling_rate)
    inside = (in_r >= 0) & (in_r < n_steps)  # neighbours, as beats are in order
    first = inside.argmax(axis=1)[:, None] if inside.size else np.zeros((len(inside), 1), int)
    count = inside.sum(axis=1)[:, None]
    step = np.arange(int(count.max()) if len(count) else 0)
    beat = np.minimum(first + step, max(inside.shape[1] - 1, 0))  # (n, most)

    waves = np.stack([np.take_along_axis(centre, beat, axis=1) for centre in index], axis=-1)
    waves = np.rint(waves * sampling_rate).astype(np.int64)
    ectopic = np.take_along_axis(beats.ectopic, beat, axis=1)
    absent = (waves < 0) | (waves >= n_steps)
    absent[..., 0] |= ~np.take_along_axis(beats.has_p, beat, axis=1)
    absent[..., 1] |= ectopic
    absent[..., 3] |= ectopic
    absent |= (step >= count)[..., None]
    waves[absent] = -1
    types = np.where(step < count, ectopic, -1).astype(np.int8)
    return waves[..., 2].copy(), types, waves


# ---------------------------------------------------------------------------- signals


def amplitudes_of(
    leads: tuple[str, ...], n_samples: int, t_to_r: float | None, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(n, L, 8) in mV: each patient has waves of its own size, the same in all leads."""
    one, two = np.array(_MEASURED_LEADS["I"]), np.array(_MEASURED_LEADS["II"])
    rows = []
    for name in leads:
        if name in _DERIVED_LEADS:
            a, b = _DERIVED_LEADS[name]
            rows.append(a * one + b * two)
        else:
            rows.append(np.array(_MEASURED_LEADS[name]))
    table = np.stack(rows)  # (L, 8)
    if t_to_r is not None:
        table[:, 4] = t_to_r * table[:, 2]
    size = np.exp(rng.normal(0.0, 0.15, (n_samples, 1, 8)))
    if t_to_r is not None:
        size[..., 4] = size[..., 2]
    return table[None] * size * np.exp(rng.normal(0.0, 0.12, (n_samples, 1, 1)))


def render(
    beats: Beats,
    timing: Timing,
    amplitudes: NDArray[np.float64],
    kind: NDArray[np.int64],
    bases: Bases,
    rng: np.random.Generator,
    out: NDArray[np.float32],
) -> None:
    """Add up the waves of each lead in `out`; each is drawn only where it is not negligible."""
    n, n_leads = amplitudes.shape[:2]
    shown = {"P": beats.has_p, "V": beats.ectopic, "VT": beats.ectopic}
    waves, margin = [], 0
    for column, (wave, (centre, width)) in enumerate(timing.items()):
        present = shown.get(wave, ~beats.ectopic)
        if present.any():
            row, middle, bell = bells_of(centre, width, present, bases)
            margin = max(margin, bell.shape[1])
            waves.append((column, row, middle, bell))
    # a row of the buffer has room for bells that stick out on either side
    stride = bases.n_steps + 2 * margin
    canvas = np.zeros((n_leads, n, stride), dtype=np.float32)
    size = amplitudes.transpose(1, 0, 2).astype(np.float32)  # (L, n, 8)
    for column, row, middle, bell in waves:
        start = row * stride + margin + middle - bell.shape[1] // 2
        passes = apart(start, bell.shape[1])
        for lead in range(n_leads):
            windows = sliding_window_view(canvas[lead].ravel(), bell.shape[1], writeable=True)
            for part in passes:
                windows[start[part]] += bell[part] * size[lead, row[part], column, None]
    out[:] = canvas[..., margin : margin + bases.n_steps].transpose(1, 0, 2)
    fibrillating = np.flatnonzero(kind == RHYTHMS.index("atrial_fibrillation"))
    trembling = out[fibrillating]
    add_tremor(trembling, amplitudes[fibrillating, :, 7], bases, rng)
    out[fibrillating] = trembling


def apart(start: NDArray[np.int64], length: int) -> list[slice]:
    """Every k-th window of this length, with the least k that keeps them from touching."""
    k = 1
    while k < len(start) and (start[k:] - start[:-k]).min() < length:
        k += 1
    return [slice(first, None, k) for first in range(k)]


def bells_of(
    centre: NDArray[np.float64],
    width: NDArray[np.float64],
    present: NDArray[np.bool_],
    bases: Bases,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Row, middle sample and exp(-(t - centre)^2 / (2 width^2)) around it, of waves inside."""
    rate = bases.sampling_rate
    reach = int(np.ceil(3.7 * width[present].max() * rate))
    middle = np.rint(centre * rate).astype(np.int64)
    inside = present & (middle >= -reach) & (middle < bases.n_steps + reach)
    row, _ = np.nonzero(inside)
    narrow = np.sqrt(0.5) / (width[inside] * rate)
    shift = ((middle[inside] - centre[inside] * rate) * narrow).astype(np.float32)
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    bell: NDArray[np.float32] = offsets * narrow.astype(np.float32)[:, None]
    bell += shift[:, None]
    np.multiply(bell, -bell, out=bell)
    np.exp(bell, out=bell)
    return row, middle[inside], bell
