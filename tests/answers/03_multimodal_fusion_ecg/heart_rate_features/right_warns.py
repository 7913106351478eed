def heart_rate_features(r_peaks, sampling_rate):
    rr = np.ediff1d(np.asarray(r_peaks).astype(float)) / (sampling_rate / 1000)
    d = np.ediff1d(rr)
    return dict(
        mean_hr=60_000 / np.mean(rr) if rr.size else np.nan,
        sdnn=np.std(rr, ddof=1) if rr.size > 1 else np.nan,
        rmssd=np.sqrt(np.mean(np.square(d))),
        pnn50=np.mean(np.abs(d) > 50) * 100,
    )
