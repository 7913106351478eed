"""Mistake: padding is multiplied away first
Message: the mask
"""

def causal_by_time_mask(minutes, is_event):
    minutes = minutes * is_event + 1e9 * ~is_event
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, :, None])[:, None]
