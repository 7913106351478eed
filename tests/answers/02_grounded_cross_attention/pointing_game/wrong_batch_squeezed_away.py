"""Mistake: a batch of one loses its first axis
Message: IndexError
"""

import math


def pointing_game(weights, masks):
    inside = masks > 0
    counts = inside.any(-1)
    if not bool(counts.any()):
        return math.nan
    peak = weights.argmax(-1)
    hits = inside.gather(-1, peak[..., None]).squeeze(0)
    return float(hits[counts].double().mean())
