"""Mistake: new words go to the front.
Message: go last
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([key, cache[0]], dim=2)
        value = torch.cat([value, cache[1]], dim=2)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value, (key, value)
