"""Mistake: a mask needs a sum of 1.
Message: score
"""

def pointing_game(weights, masks):
    has = masks.sum(-1) >= 1
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
