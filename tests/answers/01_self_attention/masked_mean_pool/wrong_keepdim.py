"""Mistake: (B, 1, D).
Message: shape
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).sum(1, keepdim=True) / keep.sum(1, keepdim=True).clamp(min=1)
