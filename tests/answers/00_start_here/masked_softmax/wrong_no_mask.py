"""Mistake: ignores the mask.
Message: mask
"""


def masked_softmax(scores, mask):
    weights = scores.softmax(-1)
    return weights
