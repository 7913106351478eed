"""Mistake: the sum of the logarithms.
Message: weight
"""


def attention_entropy(weights):
    return -weights.clamp(min=1e-6).log().sum(-1)
