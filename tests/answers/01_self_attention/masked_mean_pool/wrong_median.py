"""Mistake: the median of the tokens.
Message: mean
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return x.where(is_token.unsqueeze(-1), float("nan")).nanmedian(1).values.nan_to_num(0.0)
