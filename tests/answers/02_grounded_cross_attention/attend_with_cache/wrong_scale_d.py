"""Mistake: divided by d.
Message: not by its root
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    return (query @ key.mT / query.shape[-1]).softmax(-1) @ value, (key, value)
