"""Mistake: softmax over the single query.
Message: over the keys
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(-2) @ value, (key, value)
