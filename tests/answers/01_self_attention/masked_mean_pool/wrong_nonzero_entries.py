"""Mistake: single zeros inside a vector are not counted.
Message: zero
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / (keep * (x != 0)).sum(1).clamp(min=1)
