"""Mistake: divides by the sum, without the exponential.
Message: exp
"""


def masked_softmax(scores, mask):
    weights = scores * mask / (scores * mask).sum(-1, keepdim=True)
    return weights.masked_fill(~mask, 0.0)
