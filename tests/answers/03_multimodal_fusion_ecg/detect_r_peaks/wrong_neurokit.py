"""Mistake: a ready-made detector
Message: ready-made
"""

def detect_r_peaks(signal, sampling_rate):
    import neurokit2 as nk
    x = np.asarray(signal, dtype=float)
    if np.ptp(x) == 0:
        return np.zeros(0, dtype=int)
    clean = nk.ecg_clean(x, sampling_rate=int(sampling_rate))
    return np.asarray(nk.ecg_peaks(clean, sampling_rate=int(sampling_rate))[1]["ECG_R_Peaks"], dtype=int)
