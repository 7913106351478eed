"""Mistake: forgets where the window starts
Message: No beat is found
"""

def detect_r_peaks(signal: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Sample indices of the R waves of one raw lead.

    Shapes: signal (T,) -> (number of beats,) integers, ascending.  Units: sampling_rate in Hz.
    """

    def block_threshold(energy: np.ndarray, fraction: float, block_s: float = 2.5) -> np.ndarray:
        """Height (T,) that a beat has to reach: a fraction of the typical largest energy nearby."""
        size = min(len(energy), round(block_s * sampling_rate))
        starts = np.arange(0, len(energy) - size + 1, size)
        tops = np.array([energy[s : s + size].max() for s in starts])
        nearby = np.array([np.median(tops[max(0, i - 2) : i + 3]) for i in range(len(tops))])
        nearby = np.clip(nearby, 0.3 * np.median(tops), 3.0 * np.median(tops))
        return fraction * np.interp(np.arange(len(energy)), starts + size / 2, nearby)
    x = np.asarray(signal, dtype=np.float64)
    if np.ptp(x) <= 1e-9 * np.abs(x).max():
        return np.zeros(0, dtype=np.int64)
    x = sps.detrend(x)

    def band(low: float, high: float, order: int) -> np.ndarray:
        sections = sps.butter(order, [low, high], btype="bandpass", fs=sampling_rate, output="sos")
        return sps.sosfiltfilt(sections, x)

    window = np.hanning(round(0.08 * sampling_rate) + 2)
    power = sps.fftconvolve(band(6.0, 20.0, 3) ** 2, window / window.sum(), mode="same")
    energy = np.sqrt(np.maximum(power, 0.0))
    hits, _ = sps.find_peaks(
        energy, height=block_threshold(energy, 0.35), distance=max(1, round(0.24 * sampling_rate))
    )
    if len(hits) == 0:
        return np.zeros(0, dtype=np.int64)
    # the R wave is the extreme near each hit, on the side where the larger deflections are
    shape, reach = band(1.0, 35.0, 2), round(0.06 * sampling_rate)
    near = [slice(max(0, hit - reach), hit + reach + 1) for hit in hits]
    up = np.median([shape[part].max() for part in near])
    down = np.median([-shape[part].min() for part in near])
    upright = shape if up >= down else -shape
    hit_start = 0
    return np.unique([hit_start + int(upright[part].argmax()) for part in near])
    ### END SOLUTION
