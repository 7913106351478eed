"""Mistake: 1 minus the sum of squares.
Message: entropy
"""


def attention_entropy(weights):
    return (weights.sum(-1) - weights.square().sum(-1))
