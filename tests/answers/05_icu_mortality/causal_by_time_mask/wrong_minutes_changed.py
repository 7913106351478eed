"""Mistake: the caller's minutes are written to
Message: `minutes` was changed
"""

def causal_by_time_mask(minutes, is_event):
    minutes.masked_fill_(~is_event, 99)
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
