"""Mistake: a fixed height of the absolute value, T waves pass
Message: T waves or noise
"""


def detect_r_peaks(signal, sampling_rate):
    x = preprocess_ecg(signal, sampling_rate)
    return sps.find_peaks(np.abs(x), height=1.5, distance=int(0.25 * sampling_rate))[0]
