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
    if np.ptp(x) <= 1e-9 * np.abs(signal).max():
        return np.zeros(0, dtype=np.int64)
    calm = sps.medfilt(x, 2 * round(0.004 * sampling_rate) + 1)
    jump = np.abs(x - calm)
    x = np.where(jump > 10 * jump.mean(), calm, x)  # without spikes of a pacemaker

    def band(low: float, high: float, order: int) -> np.ndarray:
        sections = sps.butter(order, [low, high], btype="bandpass", fs=sampling_rate, output="sos")
        return sps.sosfiltfilt(sections, x)

    window = np.hanning(round(0.12 * sampling_rate) + 2)
    power = sps.fftconvolve(band(6.0, 30.0, 3) ** 2, window / window.sum(), mode="same")
    energy = np.sqrt(np.maximum(power, 0.0))
    # a beat stands out from the quiet between beats (in noise and in flutter there is none) ...
    around = pd.Series(energy).rolling(round(2.0 * sampling_rate), center=True, min_periods=1)
    quiet = around.quantile(0.25).to_numpy()
    level, refractory = block_threshold(energy, 1.0), max(1, round(0.24 * sampling_rate))
    lowest = np.maximum(0.2 * level, 1.8 * quiet)
    mounds, _ = sps.find_peaks(energy, height=lowest, distance=refractory)
    # ... and is like other beats: one half as high, close behind another, is its T wave
    hits = mounds[energy[mounds] >= 0.3 * level[mounds]]
    t_waves = (np.diff(hits) < 0.36 * sampling_rate) & (energy[hits[1:]] < 0.5 * energy[hits[:-1]])
    hits = np.delete(hits, 1 + np.flatnonzero(t_waves))
    # where a beat seems to be missing, the largest of the lower mounds is taken (an ectopic beat)
    rr = pd.Series(np.diff(hits), dtype=float)
    pauses = np.flatnonzero(rr > 1.66 * rr.rolling(9, center=True, min_periods=1).median())
    for start, end in zip(hits[pauses], hits[pauses + 1], strict=True):
        between = mounds[(mounds > start + 0.36 * sampling_rate) & (mounds < end - refractory)]
        hits = np.append(hits, between[energy[between].argsort()[-1:]])
    # R is the extreme near each hit, the nearer the better; a clear one may point the other way
    shape, reach = band(1.0, 35.0, 2), round(0.1 * sampling_rate)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(shape, reach), 2 * reach + 1)[hits]
    near = near * np.hanning(2 * reach + 3)[1:-1]  # (beats, 2 * reach + 1)
    up, down = near.max(axis=1), -near.min(axis=1)
    favour = 2.0 if np.sum(up > down) >= len(hits) / 2 else 0.5  # most beats point up, or down
    place = np.where(favour * up >= down, near.argmax(axis=1), near.argmin(axis=1))
    return np.unique(np.clip(hits + place - reach, 0, len(x) - 1))
