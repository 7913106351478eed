"""Torch's attention; a mask is not needed, all keys are in the past."""


def attend_with_cache(query, key, value, cache=None):
    keys, values = (
        (key, value)
        if cache is None
        else (torch.cat((old, new), dim=-2) for old, new in zip(cache, (key, value)))
    )
    return F.scaled_dot_product_attention(query, keys, values), (keys, values)
