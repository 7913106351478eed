"""A loop."""

def pointing_game(weights, masks):
    hits = total = 0
    for row, mask in zip(weights.flatten(0, 1), masks.flatten(0, 1), strict=True):
        if mask.sum() > 0:
            total += 1
            hits += int(mask[row.argmax()] > 0)
    return hits / total if total else math.nan
