"""Mistake: intervals are cut to whole milliseconds
Message: mean_hr
"""


def heart_rate_features(r_peaks, sampling_rate):
    rr = np.diff(r_peaks) * 1000 // sampling_rate
    d = np.diff(rr)
    return dict(
        mean_hr=float(60000 / np.mean(rr)),
        sdnn=float(np.std(rr, ddof=1)),
        rmssd=float(np.sqrt(np.mean(d**2))),
        pnn50=float(np.mean(abs(d) > 50) * 100),
    )
