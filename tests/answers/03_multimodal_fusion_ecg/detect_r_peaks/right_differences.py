def detect_r_peaks(signal, sampling_rate):
    """Pan and Tompkins' steps with zero-phase filters: band, slope, square, window, search."""
    x = np.array(signal, dtype=float)
    if x.max() == x.min():
        return np.array([], dtype=int)
    x = x - np.median(x)
    sos = sps.butter(2, [5, 18], "bandpass", fs=sampling_rate, output="sos")
    band = sps.sosfiltfilt(sos, x)
    slope = np.gradient(band) ** 2
    width = int(0.10 * sampling_rate)
    mound = np.convolve(slope, np.ones(width) / width, mode="same") ** 0.5
    size = int(2.4 * sampling_rate)
    tops = [mound[i : i + size].max() for i in range(0, len(mound) - size + 1, size)]
    level = 0.4 * np.median(tops)
    peaks, _ = sps.find_peaks(mound, height=level, distance=int(0.25 * sampling_rate))
    reach = int(0.07 * sampling_rate)
    soft = sps.sosfiltfilt(sps.butter(2, [0.8, 30], "bandpass", fs=sampling_rate, output="sos"), x)
    windows = [(max(p - reach, 0), min(p + reach + 1, len(x))) for p in peaks]
    highs = [soft[a:b].max() for a, b in windows]
    lows = [-soft[a:b].min() for a, b in windows]
    soft = soft if np.median(highs) > np.median(lows) else -soft
    return np.array(sorted({a + int(np.argmax(soft[a:b])) for a, b in windows}), dtype=int)
