"""Mistake: a row that holds a zero is called 0.
Message: 0
"""


def attention_entropy(weights):
    return -(weights * weights.log()).sum(-1).nan_to_num(0.0)
