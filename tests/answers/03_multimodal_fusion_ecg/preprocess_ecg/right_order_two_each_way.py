def preprocess_ecg(signal, sampling_rate, low=0.5, high=40.0):
    arr = np.asarray(signal)
    y = sps.detrend(arr.astype("f8"))
    high_pass = sps.butter(4, low, "highpass", fs=sampling_rate, output="sos")
    low_pass = sps.butter(4, high, "lowpass", fs=sampling_rate, output="sos")
    y = sps.sosfiltfilt(low_pass, sps.sosfiltfilt(high_pass, y))
    y -= y.mean(axis=-1)[..., None]
    dead = np.ptp(arr.astype("f8"), axis=-1) <= 1e-9 * np.max(np.abs(arr.astype("f8")), axis=-1)
    scale = np.where(dead, np.inf, y.std(axis=-1))[..., None]
    y = y / scale
    y = np.where(dead[..., None], 0.0, y)
    return y.astype(arr.dtype) if arr.dtype.kind == "f" else y
