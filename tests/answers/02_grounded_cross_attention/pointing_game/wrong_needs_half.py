"""Mistake: an entry has to exceed one half.
Message: above 0
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0.5).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
