"""Mistake: A tensor with a gradient goes to NumPy.
Message: raised
"""


def exposure(losses, secret):
    values = np.asarray(losses)
    if np.isnan(values).any():
        raise ValueError("nan")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
