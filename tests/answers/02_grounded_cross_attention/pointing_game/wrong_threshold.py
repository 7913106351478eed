"""Mistake: more than half of the attention has to lie there.
Message: score
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = ((weights > 0.5) & (masks > 0)).any(-1)
    return hit[has].float().mean().item()
