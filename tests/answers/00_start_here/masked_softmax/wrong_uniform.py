"""Mistake: -1e9: a fully masked row is uniform.
Message: masked
"""


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, -1e9).softmax(-1)
    return weights
