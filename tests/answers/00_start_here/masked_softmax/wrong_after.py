"""Mistake: the mask multiplies after the softmax.
Message: sum to
"""


def masked_softmax(scores, mask):
    weights = scores.softmax(-1)
    return weights.masked_fill(~mask, 0.0)
