"""Mistake: keeps the words in the function, not in the cache.
Message: one cache
"""

MEMORY = []


def attend_with_cache(query, key, value, cache=None):
    if cache is None:
        MEMORY.clear()
    MEMORY.append((key, value))
    key, value = (torch.cat(list(x), dim=2) for x in zip(*MEMORY))
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value, (key, value)
