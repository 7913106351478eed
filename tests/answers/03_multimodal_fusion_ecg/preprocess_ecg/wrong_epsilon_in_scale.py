"""Mistake: a small number is added to the deviation, and flat leads are not looked for
Message: dtype
"""


def preprocess_ecg(signal, sampling_rate, low=0.5, high=40.0):
    sos = sps.butter(4, [low, high], btype="bandpass", fs=sampling_rate, output="sos")
    y = sps.sosfiltfilt(sos, sps.detrend(signal, axis=-1), axis=-1)
    s = y.std(axis=-1, keepdims=True)
    return (y - y.mean(axis=-1, keepdims=True)) / (s + 1e-8)
