"""Mistake: masked scores are 0.
Message: mask
"""


def masked_softmax(scores, mask):
    weights = scores.masked_fill(~mask, 0.0).softmax(-1)
    return weights * mask.any(-1, keepdim=True)
