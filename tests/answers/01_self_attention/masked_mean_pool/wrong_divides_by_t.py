"""Mistake: padding left out of the sum, but divided by T.
Message: number of tokens
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / x.size(1)
