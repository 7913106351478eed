"""The largest inside equals the largest of all."""

def pointing_game(weights, masks):
    m = masks.bool()
    has = m.any(dim=2)
    inside = weights.masked_fill(~m, -float("inf")).amax(-1)
    hits = (inside == weights.amax(-1))[has]
    return float(hits.double().mean()) if len(hits) else float("nan")
