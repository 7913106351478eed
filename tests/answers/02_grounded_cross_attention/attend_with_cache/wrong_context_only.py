"""Mistake: returns the context alone.
Message: two things
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    return F.scaled_dot_product_attention(query, key, value)
