def preprocess_ecg(signal, sampling_rate, low=0.5, high=40.0):
    signal = np.asarray(signal)
    out_type = signal.dtype if np.issubdtype(signal.dtype, np.floating) else float
    leads = signal.reshape(-1, signal.shape[-1]).astype(float)
    sos = sps.butter(4, (low / (sampling_rate / 2), high / (sampling_rate / 2)), "bandpass", output="sos")
    result = np.zeros_like(leads)
    for i, lead in enumerate(leads):
        if lead.max() - lead.min() <= 1e-9 * np.max(np.abs(lead)):
            continue
        clean = sps.sosfiltfilt(sos, sps.detrend(lead, type="linear"))
        result[i] = (clean - np.mean(clean)) / np.std(clean)
    return result.reshape(signal.shape).astype(out_type)
