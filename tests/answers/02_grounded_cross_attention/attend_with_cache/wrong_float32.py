"""Mistake: always single precision.
Message: dtype
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    scores = query.float() @ key.float().mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value.float(), (key, value)
