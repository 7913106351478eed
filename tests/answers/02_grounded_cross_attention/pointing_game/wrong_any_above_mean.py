"""Mistake: any patch above the mean.
Message: score
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = ((weights > weights.mean(-1, keepdim=True)) & (masks > 0)).any(-1)
    return hit[has].float().mean().item()
