"""Mistake: padding is attended to
Message: padding may be attended
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, :, None])[:, None]
