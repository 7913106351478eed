"""Mistake: padding is in the sum, though not in the count.
Message: padding
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return x.sum(1) / keep.sum(1).clamp(min=1)
