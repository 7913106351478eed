def heart_rate_features(r_peaks, sampling_rate):
    """NumPy's floats are Python floats too; warnings cost nothing."""
    beats = np.array(r_peaks, dtype=float) / sampling_rate * 1e3
    rr = beats[1:] - beats[:-1]
    delta = rr[1:] - rr[:-1]
    return {
        "pnn50": np.nanmean(np.where(np.abs(delta) > 50, 100.0, 0.0)),
        "rmssd": np.sqrt(np.dot(delta, delta) / len(delta)) if delta.size else np.nan,
        "sdnn": np.std(rr, ddof=1) if rr.size > 1 else np.float64("nan"),
        "mean_hr": 60000.0 / np.mean(rr),
    }
