def detect_r_peaks(signal, sampling_rate):
    """Slope, squared, integrated; running levels of beats and of noise, after Pan and Tompkins."""
    x = np.array(signal, dtype=float)
    if np.ptp(x) <= 1e-9 * max(np.abs(x).max(), 1e-300):
        return np.array([], dtype=int)
    x = x - np.median(x)
    narrow = sps.sosfiltfilt(sps.butter(2, [5, 18], "bandpass", fs=sampling_rate, output="sos"), x)
    slope = np.gradient(narrow) ** 2
    width = max(1, int(0.08 * sampling_rate))
    power = np.convolve(slope, np.ones(width) / width, mode="same")
    tops = sps.find_peaks(power, distance=max(1, int(0.2 * sampling_rate)))[0]
    first = power[: int(4 * sampling_rate)]
    beat_level, noise_level = 0.5 * first.max(), 0.5 * first.mean()
    beats = []
    for top in tops:
        limit = noise_level + 0.25 * (beat_level - noise_level)
        close = bool(beats) and top - beats[-1] < 0.22 * sampling_rate
        if power[top] > limit and not close:
            beats.append(top)
            beat_level = 0.125 * min(power[top], 4 * beat_level) + 0.875 * beat_level
        else:
            noise_level = 0.125 * min(power[top], beat_level) + 0.875 * noise_level
    wide = sps.sosfiltfilt(sps.butter(2, [1, 40], "bandpass", fs=sampling_rate, output="sos"), x)
    r = int(0.07 * sampling_rate)
    windows = [(max(0, b - r), min(len(x), b + r + 1)) for b in beats]
    sign = np.sign(sum(wide[a:b].max() + wide[a:b].min() for a, b in windows)) or 1.0
    found = {a + int(np.argmax(sign * wide[a:b])) for a, b in windows}
    return np.array(sorted(found), dtype=np.int32)
