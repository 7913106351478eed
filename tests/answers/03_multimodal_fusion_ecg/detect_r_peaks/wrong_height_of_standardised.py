"""Mistake: a fixed height in standard deviations
Message: a fixed threshold
"""


def detect_r_peaks(signal, sampling_rate):
    x = preprocess_ecg(signal, sampling_rate)
    return sps.find_peaks(x, height=2.0, distance=int(0.3 * sampling_rate))[0]
