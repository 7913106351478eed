"""Mistake: 0 log 0 is nan.
Message: 0
"""


def attention_entropy(weights):
    return -(weights * weights.log()).sum(-1)
