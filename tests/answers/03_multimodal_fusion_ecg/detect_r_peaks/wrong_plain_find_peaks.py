"""Mistake: a fixed height on the 0-1 scaled lead
Message: upside down the R wave
"""

def detect_r_peaks(signal, sampling_rate):
    x = np.asarray(signal, dtype=float)
    if np.ptp(x) == 0:
        return np.zeros(0, dtype=int)
    x = (x - x.min()) / np.ptp(x)
    return sps.find_peaks(x, height=0.6)[0]
