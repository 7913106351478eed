"""What disturbs an electrocardiogram: wander, mains, muscle and white noise, fibrillation waves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfftfreq

_WANDER_HZ = (0.06, 0.13, 0.22, 0.35)
_FIBRILLATION_HZ = np.arange(4.0, 9.01, 0.5)


@dataclass(frozen=True)
class Bases:
    """What all records of one call share: time grid, slow sinusoids, spectrum of the fast noise."""

    n_steps: int
    sampling_rate: float
    n_fft: int
    slow: NDArray[np.float32]
    wander_seen: NDArray[np.float32]
    fibrillation: NDArray[np.float32]
    muscle_band: NDArray[np.bool_]

    @staticmethod
    def of(
        levels: Mapping[str, float], trembles: bool, n_steps: int, sampling_rate: float
    ) -> Bases:
        n_fft = next_fast_len(n_steps, real=True)
        frequency = rfftfreq(n_fft, 1.0 / sampling_rate)

        def waves(frequencies: ArrayLike, needed: float | None) -> NDArray[np.float32]:
            chosen = np.asarray(frequencies, dtype=np.float64)[: None if needed else 0]
            return sinusoids(chosen, n_steps, sampling_rate)

        wander = waves(_WANDER_HZ, levels.get("wander"))
        mains = waves([levels.get("mains_hz", 50.0)], levels.get("mains"))
        # the peak of so slow a wave is seen at 50 Hz, but for the last sample
        every = max(1, round(sampling_rate / 50.0))
        return Bases(
            n_steps=n_steps,
            sampling_rate=sampling_rate,
            n_fft=n_fft,
            slow=np.concatenate([wander, mains]),
            wander_seen=np.concatenate([wander[:, ::every], wander[:, -1:]], axis=1),
            fibrillation=waves(_FIBRILLATION_HZ, trembles),
            muscle_band=(frequency >= 20.0) & (frequency <= 0.45 * sampling_rate),
        )


def sinusoids(
    frequencies: NDArray[np.float64], n_steps: int, sampling_rate: float
) -> NDArray[np.float32]:
    """(2F, T): cosine and sine of each frequency; products of T / 128 coarse and 128 fine turns."""
    turn = 2j * np.pi * frequencies[:, None] / sampling_rate
    coarse = np.exp(turn * np.arange(0, n_steps, 128))
    fine = np.exp(turn * np.arange(128))
    wave = (coarse[:, :, None] * fine[:, None, :]).reshape(len(frequencies), coarse.shape[1] * 128)
    return np.concatenate([wave.real, wave.imag])[:, :n_steps].astype(np.float32)


def add_tremor(
    clean: NDArray[np.float32],
    size: NDArray[np.float64],
    bases: Bases,
    rng: np.random.Generator,
) -> None:
    """Add fibrillation waves: a narrow band of frequencies around 5-7.5 Hz."""
    if len(clean):
        centre_hz = rng.uniform(5.0, 7.5, (len(clean), 1))
        weight = np.exp(-0.5 * ((np.tile(_FIBRILLATION_HZ, 2) - centre_hz) / 0.6) ** 2)
        weight *= rng.standard_normal(weight.shape)
        tremor = weight.astype(np.float32) @ bases.fibrillation
        tremor /= tremor.std(axis=1, keepdims=True)
        clean += size[:, :, None].astype(np.float32) * tremor[:, None, :]


def disturb(
    clean: NDArray[np.float32],
    levels: Mapping[str, float],
    bases: Bases,
    rng: np.random.Generator,
    out: NDArray[np.float32],
) -> None:
    """Write to `out` the clean leads with wander, mains hum, muscle and white noise."""
    n, n_leads, n_steps = clean.shape
    weights = []  # of the cosines and sines in bases.slow
    if levels.get("wander", 0.0):
        weight = rng.standard_normal((n * n_leads, len(bases.wander_seen)), dtype=np.float32)
        peak = np.abs(weight @ bases.wander_seen).max(axis=1, keepdims=True)
        weights.append(weight * np.float32(levels["wander"]) / peak)
    if levels.get("mains", 0.0):
        phase = rng.uniform(0, 2 * np.pi, n * n_leads)
        turn = levels["mains"] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
        weights.append(turn.astype(np.float32))
    if weights:
        joined = np.concatenate(weights, axis=1)
        np.matmul(joined, bases.slow, out=out.reshape(n * n_leads, n_steps))
        out += clean
    else:
        out[:] = clean
    white, muscle = levels.get("white", 0.0), np.array(levels.get("muscle", 0.0))
    if "muscle_snr_db" in levels:
        muscle = clean.std(axis=-1, keepdims=True) * 10.0 ** (-levels["muscle_snr_db"] / 20.0)
    if white or muscle.any():
        out += fast_noise((n, n_leads), white, muscle, bases, rng)


def fast_noise(
    shape: tuple[int, int],
    white: float,
    muscle: NDArray[np.floating],
    bases: Bases,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """White and muscle noise, drawn as one spectrum: flat, and from 20 Hz.

    The parts of the spectrum are uniform, which is several times faster than normal ones: each
    sample is a sum over all frequencies and so very nearly normal anyway.
    """
    band = bases.muscle_band
    per_bin = bases.n_fft / (2.0 * np.sqrt(max(int(band.sum()), 1)))
    gain = np.sqrt(white**2 * bases.n_fft / 2.0 + (muscle * per_bin) ** 2 * band)
    gain = np.repeat(gain / (2.0**16 / np.sqrt(12.0)), 2, axis=-1)  # the integers' spread
    drawn = rng.integers(-(2**15), 2**15, (*shape, 2 * len(band)), dtype=np.int16)
    spectrum = np.multiply(drawn, gain.astype(np.float32), dtype=np.float32).view(np.complex64)
    return irfft(spectrum, bases.n_fft, axis=-1, overwrite_x=True)[..., : bases.n_steps]
