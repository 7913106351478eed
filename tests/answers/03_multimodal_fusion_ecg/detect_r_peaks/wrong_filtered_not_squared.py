"""Mistake: band-passed but signed: an inverted beat is found at its side lobe
Message: beats are missed at 200 bpm:
"""

def detect_r_peaks(signal, sampling_rate):
    x = np.asarray(signal, dtype=float)
    if np.ptp(x) == 0:
        return np.zeros(0, dtype=int)
    sos = sps.butter(4, [5, 15], "bandpass", fs=sampling_rate, output="sos")
    y = sps.sosfiltfilt(sos, x)
    return sps.find_peaks(y, height=0.4 * np.percentile(y, 99.5), distance=int(0.3 * sampling_rate))[0]
