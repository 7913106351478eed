"""Mistake: compares with the largest entry of the mask.
Message: score
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = masks.float().argmax(-1) == best[..., 0]
    return hit[has].float().mean().item()
