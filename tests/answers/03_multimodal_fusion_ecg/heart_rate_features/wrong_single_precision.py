"""Mistake: Single precision cannot tell late samples apart.
Message: single precision
"""


def heart_rate_features(r_peaks: np.ndarray, sampling_rate: float) -> dict[str, float]:
    """Heart rate and its variability.

    Shapes: r_peaks (number of beats,) -> dict with mean_hr (bpm), sdnn, rmssd (ms), pnn50 (%).
    """
    rr = np.diff(np.asarray(r_peaks, dtype=np.float32)) * 1000.0 / sampling_rate
    features = dict.fromkeys(("mean_hr", "sdnn", "rmssd", "pnn50"), float("nan"))
    if len(rr) >= 1:
        features["mean_hr"] = float(60000.0 / rr.mean())
    if len(rr) >= 2:
        step = np.diff(rr)
        features["sdnn"] = float(rr.std(ddof=1))
        features["rmssd"] = float(np.sqrt(np.mean(step**2)))
        features["pnn50"] = float(100.0 * np.mean(np.abs(step) > 50.0))
    return features
