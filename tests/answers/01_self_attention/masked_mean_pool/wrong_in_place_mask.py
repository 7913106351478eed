"""Mistake: makes the caller's mask say that empty rows have a token.
Message: chang
"""


def masked_mean_pool(x, is_token):
    is_token[:, 0] |= ~is_token.any(1)
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)
