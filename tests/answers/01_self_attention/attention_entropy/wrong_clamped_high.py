"""Mistake: weights are clamped to 1e-3 inside the logarithm.
Message: the entropy
"""


def attention_entropy(weights):
    return -(weights * weights.clamp(min=1e-3).log()).sum(-1)
