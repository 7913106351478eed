"""Mistake: tokens without a mask are misses.
Message: without a mask
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit.float().mean().item()
