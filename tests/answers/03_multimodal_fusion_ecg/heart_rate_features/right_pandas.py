def heart_rate_features(r_peaks, sampling_rate):
    rr = pd.Series(r_peaks, dtype="float64").diff().dropna() * 1000 / sampling_rate
    step = rr.diff().dropna()
    return {
        "mean_hr": float(60000 / rr.mean()),
        "sdnn": float(rr.std()),
        "rmssd": float((step**2).mean() ** 0.5),
        "pnn50": float((step.abs() > 50).mean() * 100) if len(step) else float("nan"),
        "beats": len(r_peaks),
    }
