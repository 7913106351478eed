"""Mistake: averages in bfloat16.
Message: entries differ
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return (x * keep).bfloat16().sum(1).to(x.dtype) / keep.sum(1).clamp(min=1)
