"""
Mistake: without `low` the band begins at 1 Hz.
Message: White noise
"""

def preprocess_ecg(
    signal: np.ndarray, sampling_rate: float, low: float = 1.0, high: float = 40.0
) -> np.ndarray:
    """Detrend, band-pass without delay, and standardise each lead.

    Shapes: signal (..., T) -> (..., T).  Units: sampling_rate, low and high in Hz.
    """
    signal = np.asarray(signal)
    dtype = signal.dtype if signal.dtype.kind == "f" else np.float64
    x = signal.astype(np.float64)
    flat = np.ptp(x, axis=-1, keepdims=True) <= 1e-9 * np.abs(x).max(axis=-1, keepdims=True)
    x = sps.detrend(x, axis=-1)
    sections = sps.butter(4, [low, high], btype="bandpass", fs=sampling_rate, output="sos")
    x = sps.sosfiltfilt(sections, x, axis=-1)
    x -= x.mean(axis=-1, keepdims=True)
    spread = np.where(flat, 1.0, x.std(axis=-1, keepdims=True))
    return np.where(flat, 0.0, x / spread).astype(dtype)
