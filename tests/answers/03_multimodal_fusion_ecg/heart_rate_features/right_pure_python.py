def heart_rate_features(r_peaks, sampling_rate):
    beats = [float(b) for b in r_peaks]
    rr = [(b - a) / sampling_rate * 1000 for a, b in zip(beats, beats[1:])]
    nan = float("nan")
    out = {"mean_hr": nan, "sdnn": nan, "rmssd": nan, "pnn50": nan}
    if rr:
        mean = sum(rr) / len(rr)
        out["mean_hr"] = 60000 / mean
    if len(rr) > 1:
        out["sdnn"] = (sum((v - mean) ** 2 for v in rr) / (len(rr) - 1)) ** 0.5
        step = [b - a for a, b in zip(rr, rr[1:])]
        out["rmssd"] = (sum(v * v for v in step) / len(step)) ** 0.5
        out["pnn50"] = 100.0 * sum(abs(v) > 50 for v in step) / len(step)
    return out
