"""Mistake: takes everything up to the last token, gaps too.
Message: mean
"""


def masked_mean_pool(x, is_token):
    is_token = is_token.flip(1).cumsum(1).flip(1) > 0
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)
