"""Mistake: zeros of the argument are overwritten
Message: was changed
"""

def attention_entropy(weights):
    weights.masked_fill_(weights == 0, 1.0)
    return -(weights * weights.log()).sum(-1)
