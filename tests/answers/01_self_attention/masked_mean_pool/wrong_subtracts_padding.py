"""Mistake: the sum of everything minus the sum of padding: large padding eats the digits.
Message: mean over the tokens
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x.sum(1) - (x * (1 - keep)).sum(1)) / keep.sum(1).clamp(min=1)
