"""Mistake: cached words do not learn.
Message: cached words learn too
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0].detach(), key], dim=2)
        value = torch.cat([cache[1].detach(), value], dim=2)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value, (key, value)
