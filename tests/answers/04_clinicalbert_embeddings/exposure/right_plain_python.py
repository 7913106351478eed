"""A loop over Python numbers."""


def exposure(losses, secret):
    import math

    values = [float(value) for value in losses]
    if any(math.isnan(value) for value in values):
        raise ValueError("nan among the losses")
    rank = 0
    for value in values:
        if value <= values[secret]:
            rank += 1
    return math.log2(len(values)) - math.log2(rank)
