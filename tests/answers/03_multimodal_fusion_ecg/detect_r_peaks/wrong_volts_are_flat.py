"""Mistake: A fixed height in millivolts below which all is flat.
Message: times 1e-10
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
        usual = np.quantile(tops, 0.75)  # not fooled when the lead was off for half of the time
        nearby = np.clip(nearby, 0.3 * usual, 3.0 * usual)
        return fraction * np.interp(np.arange(len(energy)), starts + size / 2, nearby)

    x = sps.detrend(np.asarray(signal, dtype=np.float64))
    if np.ptp(x) <= 0.05:
        return np.zeros(0, dtype=np.int64)

    def band(low: float, high: float, order: int) -> np.ndarray:
        sections = sps.butter(order, [low, high], btype="bandpass", fs=sampling_rate, output="sos")
        return sps.sosfiltfilt(sections, x)

    window = np.hanning(round(0.08 * sampling_rate) + 2)
    power = sps.fftconvolve(band(6.0, 20.0, 3) ** 2, window / window.sum(), mode="same")
    energy = np.sqrt(np.maximum(power, 0.0))
    level, refractory = block_threshold(energy, 1.0), max(1, round(0.24 * sampling_rate))
    mounds, _ = sps.find_peaks(energy, height=0.2 * level, distance=refractory)
    hits = mounds[energy[mounds] >= 0.35 * level[mounds]]
    # where a beat seems to be missing, the largest of the lower mounds is taken (an ectopic beat)
    rr = pd.Series(np.diff(hits), dtype=float)
    pauses = np.flatnonzero(rr > 1.66 * rr.rolling(9, center=True, min_periods=1).median())
    for start, end in zip(hits[pauses], hits[pauses + 1], strict=True):
        between = mounds[(mounds > start + 0.36 * sampling_rate) & (mounds < end - refractory)]
        hits = np.append(hits, between[energy[between].argsort()[-1:]])
    # the R wave is the extreme near each hit, on the side where most large deflections are; a beat
    # that clearly points the other way (an ectopic beat again) is marked on its own side
    shape, reach = band(1.0, 35.0, 2), round(0.06 * sampling_rate)
    near = [shape[max(0, hit - reach) : hit + reach + 1] for hit in hits]
    heights = np.array([(part.max(), -part.min()) for part in near]).reshape(-1, 2)
    up, down = heights.T
    favour = 2.0 if np.sum(up > down) >= len(hits) / 2 else 0.5  # most beats point up, or down
    found = [
        max(0, hit - reach) + int((part if rises else -part).argmax())
        for hit, part, rises in zip(hits, near, favour * up >= down, strict=True)
    ]
    return np.unique(np.array(found, dtype=np.int64))
