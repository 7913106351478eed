"""Mistake: shifts inside.
Message: score
"""

def pointing_game(weights, masks):
    weights, masks = weights[:, :-1], masks[:, 1:]
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
