"""
Mistake: a high-pass and a low-pass one after the other, not a band-pass.
Message: White noise
"""

def preprocess_ecg(
    signal: np.ndarray, sampling_rate: float, low: float = 0.5, high: float = 40.0
) -> np.ndarray:
    """Detrend, band-pass without delay, and standardise each lead.

    Shapes: signal (..., T) -> (..., T).  Units: sampling_rate, low and high in Hz.
    """
    signal = np.asarray(signal)
    dtype = signal.dtype if signal.dtype.kind == "f" else np.float64
    x = signal.astype(np.float64)
    flat = np.ptp(x, axis=-1, keepdims=True) <= 1e-9 * np.abs(x).max(axis=-1, keepdims=True)
    x = sps.detrend(x, axis=-1)
    sides = ((low, "highpass"), (high, "lowpass"))
    parts = [sps.butter(4, edge, kind, fs=sampling_rate, output="sos") for edge, kind in sides]
    sections = np.concatenate(parts)
    x = sps.sosfiltfilt(sections, x, axis=-1)
    x -= x.mean(axis=-1, keepdims=True)
    spread = np.where(flat, 1.0, x.std(axis=-1, keepdims=True))
    return np.where(flat, 0.0, x / spread).astype(dtype)
