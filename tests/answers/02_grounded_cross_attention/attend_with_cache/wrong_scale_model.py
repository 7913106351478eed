"""Mistake: divided by the root of the model's width.
Message: one head
"""


def attend_with_cache(query, key, value, cache=None):
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    d = query.shape[1] * query.shape[-1]
    return (query @ key.mT / d**0.5).softmax(-1) @ value, (key, value)
