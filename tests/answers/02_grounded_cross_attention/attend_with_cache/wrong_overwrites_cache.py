"""Mistake: writes the new word over the last cached one.
Message: was changed
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        old = [x.clone() for x in cache]
        cache[0][:, :, -1:] = key
        cache[1][:, :, -1:] = value
        key, value = torch.cat([old[0], key], 2), torch.cat([old[1], value], 2)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value, (key, value)
