"""Mistake: the attention inside the mask.
Message: attention inside
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.argmax(-1, keepdim=True)
    hit = (weights * (masks > 0)).sum(-1)
    return hit[has].float().mean().item()
