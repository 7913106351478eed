"""Mistake: integers become float64 first
Message: rounds or wraps
"""

def causal_by_time_mask(minutes, is_event):
    minutes = minutes.double()
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
