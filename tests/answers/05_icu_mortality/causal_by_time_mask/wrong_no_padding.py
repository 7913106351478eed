"""Mistake: padding is not left out
Message: padding is not left out
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    return known[:, None]
