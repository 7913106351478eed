"""Mistake: one peak per report.
Message: score
"""

def pointing_game(weights, masks):
    has = (masks > 0).any(-1)
    if not has.any():
        return float("nan")
    best = weights.flatten(1).argmax(-1)[:, None, None].remainder(weights.shape[-1]).expand(*weights.shape[:2], 1)
    hit = (masks > 0).gather(-1, best)[..., 0]
    return hit[has].float().mean().item()
