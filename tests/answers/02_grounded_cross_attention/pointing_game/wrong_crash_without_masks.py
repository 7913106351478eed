"""Mistake: raises when there is no mask.
Message: ValueError
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        raise ValueError("no masks")
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
