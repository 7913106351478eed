"""Mistake: the padding is averaged in.
Message: padding
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return x.mean(1)
