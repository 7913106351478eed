"""Mistake: height and distance on the raw lead
Message: T waves or noise are taken
"""

def detect_r_peaks(signal, sampling_rate):
    x = np.asarray(signal, dtype=float)
    if np.ptp(x) == 0:
        return np.zeros(0, dtype=int)
    x = (x - x.mean()) / x.std()
    return sps.find_peaks(x, height=2.0, distance=int(0.25 * sampling_rate))[0]
