"""Mistake: a metronome
Message: the marks lie -26 ms off
"""

def detect_r_peaks(signal, sampling_rate):
    x = np.asarray(signal, dtype=float)
    if np.ptp(x) == 0:
        return np.zeros(0, dtype=int)
    return np.arange(0, len(x), int(sampling_rate))
