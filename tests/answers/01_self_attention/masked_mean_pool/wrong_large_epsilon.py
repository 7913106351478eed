"""Mistake: an epsilon of 0.01 that can be seen.
Message: count
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / (keep.sum(1) + 0.01)
