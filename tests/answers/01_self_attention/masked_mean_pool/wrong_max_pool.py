"""Mistake: the maximum over the tokens.
Message: mean
"""


def masked_mean_pool(x, is_token):
    keep = is_token.unsqueeze(-1).to(x.dtype)
    return x.masked_fill(keep == 0, -1e4).amax(1) * is_token.any(1, keepdim=True)
