"""Mistake: negative numbers are cut to 0, so the first patch always wins
Message: negative numbers
"""

import math


def pointing_game(weights, masks):
    inside = masks > 0
    counts = inside.any(-1)
    if not bool(counts.any()):
        return math.nan
    peak = weights.clamp(min=0).argmax(-1)
    hits = inside.gather(-1, peak[..., None])[..., 0]
    return float(hits[counts].double().mean())
