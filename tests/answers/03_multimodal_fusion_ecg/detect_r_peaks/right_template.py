def detect_r_peaks(signal, sampling_rate):
    """Energy of the slope, a threshold by quantiles of 2.5 s blocks, refined on the plain signal."""
    fs = float(sampling_rate)
    raw = np.asarray(signal, dtype=np.float64)
    if raw.max() - raw.min() <= 1e-9 * max(np.abs(raw).max(), 1e-300):
        return np.empty(0, dtype=np.int64)
    steep = sps.sosfiltfilt(sps.butter(2, [7.0, 22.0], "bandpass", fs=fs, output="sos"), raw - raw[0])
    smooth = np.exp(-0.5 * (np.arange(-int(0.1 * fs), int(0.1 * fs) + 1) / (0.025 * fs)) ** 2)
    energy = np.convolve(steep**2, smooth / smooth.sum(), mode="same")
    n_blocks = max(1, int(len(raw) / (2.5 * fs)))
    tops = [block.max() for block in np.array_split(energy, n_blocks)]
    candidates = [i for i in range(1, len(raw) - 1) if energy[i - 1] < energy[i] >= energy[i + 1]]
    candidates = [i for i in candidates if energy[i] > 0.13 * np.median(tops)]
    candidates.sort(key=lambda i: -energy[i])
    kept = []
    for i in candidates:
        if all(abs(i - j) > 0.24 * fs for j in kept):
            kept.append(i)
    gentle = sps.sosfiltfilt(sps.butter(2, [1.0, 40.0], "bandpass", fs=fs, output="sos"), raw)
    r = int(0.055 * fs)
    inside = [i for i in kept if r <= i < len(raw) - r]
    skew = np.sum([gentle[i - r : i + r].max() + gentle[i - r : i + r].min() for i in inside])
    gentle = gentle if skew >= 0 else -gentle
    found = []
    for i in kept:
        first = max(0, i - r)
        found.append(first + int(np.argmax(gentle[first : i + r + 1])))
    return np.array(sorted(set(found)), dtype=np.int64)
