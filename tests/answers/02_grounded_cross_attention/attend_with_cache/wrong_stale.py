"""Mistake: the newest word is not returned in the cache.
Message: newest word
"""


def attend_with_cache(query, key, value, cache=None):
    past = (key, value) if cache is None else cache
    out = (
        attend(query, torch.cat([past[0], key], 2)[:, :, -99:], torch.cat([past[1], value], 2))
        if cache
        else value
    )
    return out, past


def attend(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)
