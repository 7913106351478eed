"""Mistake: an array, not a tensor.
Message: tensor
"""

def causal_mask(length, device=None):
    return np.tri(length, dtype=bool)[None, None]
