"""Mistake: scaled keys are cached.
Message: as they come
"""


def attend_with_cache(query, key, value, cache=None):
    key = key / math.sqrt(query.shape[-1])
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    return (query @ key.mT).softmax(-1) @ value, (key, value)
