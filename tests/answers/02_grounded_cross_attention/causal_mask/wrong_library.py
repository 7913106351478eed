"""Mistake: the library's own.
Message: ready-made
"""

def causal_mask(length, device=None):
    return layers.causal_mask(length, device)
