"""Mistake: a word does not look at itself.
Message: append first
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is None:
        return value, (key, value)
    out = F.scaled_dot_product_attention(query, *cache)
    return out, tuple(torch.cat(pair, 2) for pair in zip(cache, (key, value)))
