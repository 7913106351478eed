"""Mistake: normalises the weights in place.
Message: changed
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    weights /= weights.sum(-1, keepdim=True)
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
