"""Mistake: the largest absolute number, so minus the brightness points at the brightest
Message: no absolute value
"""

import math


def pointing_game(weights, masks):
    inside = masks > 0
    counts = inside.any(-1)
    if not bool(counts.any()):
        return math.nan
    peak = weights.abs().argmax(-1)
    hits = inside.gather(-1, peak[..., None])[..., 0]
    return float(hits[counts].double().mean())
