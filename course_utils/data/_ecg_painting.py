"""How an electrocardiogram is drawn: when beats come, how waves look, what disturbs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfftfreq

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
_WANDER_HZ = (0.06, 0.13, 0.22, 0.35)
_FIBRILLATION_HZ = np.arange(4.0, 9.01, 0.5)

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
    chosen = rng.random((n, n_beats)) < 0.2
    score = np.where((r > 0.15 * duration_s) & (r < 0.85 * duration_s), rng.random(r.shape), -1.0)
    forced = score.argmax(axis=1) if n else np.zeros(0, dtype=np.int64)
    chosen[rows, forced[rows]] = True
    kept = np.zeros_like(chosen)
    for beat in range(1, n_beats):
        kept[:, beat] = chosen[:, beat] & ~kept[:, beat - 1] & (forced != beat + 1)
    mask = np.zeros_like(kept)
    mask[rows] = kept[rows]
    return mask


def wave_timing(beats: Beats) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
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
    beats: Beats, n_steps: int, sampling_rate: float
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]:
    timing = wave_timing(beats)
    centres = np.stack([timing[wave][0] for wave in WAVES], axis=-1)  # (n, K, 5)
    centres[..., 4] = np.where(beats.ectopic, timing["VT"][0], centres[..., 4])
    index = np.rint(centres * sampling_rate).astype(np.int64)
    absent = (index < 0) | (index >= n_steps)
    absent[..., 0] |= ~beats.has_p
    absent[..., 1] |= beats.ectopic
    absent[..., 3] |= beats.ectopic
    index[absent] = -1

    inside = index[..., 2] >= 0
    order = np.argsort(~inside, axis=1, kind="stable")  # beats inside first, in time
    most = int(inside.sum(axis=1).max()) if len(inside) else 0
    order = order[:, :most]
    inside = np.take_along_axis(inside, order, axis=1)
    waves = np.take_along_axis(index, order[..., None], axis=1)
    waves[~inside] = -1
    types = np.take_along_axis(beats.ectopic, order, axis=1).astype(np.int8)
    types[~inside] = -1
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


@dataclass(frozen=True)
class Bases:
    """What all records of one call share: time grid, slow sinusoids, spectrum of the fast noise."""

    n_steps: int
    sampling_rate: float
    n_fft: int
    wander: NDArray[np.float32]
    mains: NDArray[np.float32]
    fibrillation: NDArray[np.float32]
    muscle_band: NDArray[np.bool_]

    @staticmethod
    def of(levels: Mapping[str, float], n_steps: int, sampling_rate: float) -> Bases:
        n_fft = next_fast_len(n_steps, real=True)
        frequency = rfftfreq(n_fft, 1.0 / sampling_rate)
        return Bases(
            n_steps=n_steps,
            sampling_rate=sampling_rate,
            n_fft=n_fft,
            wander=sinusoids(_WANDER_HZ, n_steps, sampling_rate),
            mains=sinusoids([levels.get("mains_hz", 50.0)], n_steps, sampling_rate),
            fibrillation=sinusoids(_FIBRILLATION_HZ, n_steps, sampling_rate),
            muscle_band=(frequency >= 20.0) & (frequency <= 0.45 * sampling_rate),
        )


def sinusoids(frequencies: ArrayLike, n_steps: int, sampling_rate: float) -> NDArray[np.float32]:
    """(2F, T): cosine and sine of each frequency."""
    time = np.arange(n_steps) / sampling_rate
    angle = 2 * np.pi * np.asarray(frequencies, dtype=np.float64)[:, None] * time
    return np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)


def render(
    beats: Beats,
    amplitudes: NDArray[np.float64],
    kind: NDArray[np.int64],
    bases: Bases,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Add up the waves of each lead; every wave is drawn only where it is not negligible."""
    n, n_leads = amplitudes.shape[:2]
    shown = {"P": beats.has_p, "V": beats.ectopic, "VT": beats.ectopic}
    places, bells, waves, margin = [], [], [], 0
    for column, (wave, (centre, width)) in enumerate(wave_timing(beats).items()):
        present = shown.get(wave, ~beats.ectopic)
        if present.any():
            row, middle, bell = bells_of(centre, width, present, bases)
            margin = max(margin, bell.shape[1])
            places.append((row, middle))
            bells.append(bell)
            waves.append(column)
    # a row of the flat buffer has room for bells that stick out on either side
    stride = bases.n_steps + 2 * margin
    clean = np.empty((n, n_leads, bases.n_steps), dtype=np.float32)
    index = [
        (row * stride + margin + middle)[:, None] + np.arange(bell.shape[1]) - bell.shape[1] // 2
        for (row, middle), bell in zip(places, bells, strict=True)
    ]
    flat_index = np.concatenate([part.ravel() for part in index])
    for lead in range(n_leads):
        size = amplitudes[:, lead].astype(np.float32)
        height = np.concatenate(
            [
                (bell * size[row, column, None]).ravel()
                for (row, _), bell, column in zip(places, bells, waves, strict=True)
            ]
        )
        drawn = np.bincount(flat_index, weights=height, minlength=n * stride).reshape(n, stride)
        clean[:, lead] = drawn[:, margin : margin + bases.n_steps]
    return add_tremor(clean, amplitudes[..., 7], kind, bases, rng)


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
    shift = (middle[inside] - centre[inside] * rate).astype(np.float32)
    scale = (-0.5 / (width[inside] * rate) ** 2).astype(np.float32)
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    bell: NDArray[np.float32] = np.add(shift[:, None], offsets, dtype=np.float32)
    bell *= bell
    bell *= scale[:, None]
    np.exp(bell, out=bell)
    return row, middle[inside], bell


def add_tremor(
    clean: NDArray[np.float32],
    size: NDArray[np.float64],
    kind: NDArray[np.int64],
    bases: Bases,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Fibrillation waves: a narrow band of frequencies around 5-7.5 Hz, in atrial fibrillation."""
    rows = np.flatnonzero(kind == RHYTHMS.index("atrial_fibrillation"))
    if len(rows):
        centre_hz = rng.uniform(5.0, 7.5, (len(rows), 1))
        weight = np.exp(-0.5 * ((np.tile(_FIBRILLATION_HZ, 2) - centre_hz) / 0.6) ** 2)
        weight *= rng.standard_normal(weight.shape)
        tremor = np.einsum("nf,ft->nt", weight.astype(np.float32), bases.fibrillation)
        tremor /= tremor.std(axis=1, keepdims=True)
        clean[rows] += size[rows, :, None].astype(np.float32) * tremor[:, None, :]
    return clean


def noise_for(
    clean: NDArray[np.float32],
    levels: Mapping[str, float],
    bases: Bases,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Wander below 0.4 Hz, mains hum, muscle noise above 20 Hz and white noise, in mV."""
    n, n_leads, n_steps = clean.shape
    total = np.zeros(clean.shape, dtype=np.float32)
    flat = total.reshape(n * n_leads, n_steps)
    if levels.get("wander", 0.0):
        weight = rng.standard_normal((len(flat), len(bases.wander)), dtype=np.float32)
        wave = np.einsum("nf,ft->nt", weight, bases.wander)
        peak = np.maximum(wave.max(axis=1), -wave.min(axis=1))
        flat += wave * (np.float32(levels["wander"]) / peak)[:, None]
    if levels.get("mains", 0.0):
        phase = rng.uniform(0, 2 * np.pi, len(flat))
        turn = levels["mains"] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
        flat += np.einsum("nf,ft->nt", turn.astype(np.float32), bases.mains)
    white, muscle = levels.get("white", 0.0), np.array(levels.get("muscle", 0.0))
    if "muscle_snr_db" in levels:
        muscle = clean.std(axis=-1, keepdims=True) * 10.0 ** (-levels["muscle_snr_db"] / 20.0)
    if white or muscle.any():
        # both are drawn as a spectrum: flat for white noise, from 20 Hz for muscle noise
        band = bases.muscle_band
        per_bin = bases.n_fft / (2.0 * np.sqrt(max(int(band.sum()), 1)))
        gain = np.sqrt(white**2 * bases.n_fft / 2.0 + (muscle * per_bin) ** 2 * band)
        parts = rng.standard_normal((n, n_leads, len(band), 2), dtype=np.float32)
        parts *= gain.astype(np.float32)[..., None]
        spectrum = parts.view(np.complex64)[..., 0]
        total += irfft(spectrum, bases.n_fft, axis=-1, overwrite_x=True)[..., :n_steps]
    return total
