"""Mistake: the cache is never read.
Message: not read
"""


def attend_with_cache(query, key, value, cache=None):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value, (key, value)
