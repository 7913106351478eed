"""Mistake: whole minutes alone
Message: rounds or wraps
"""

def causal_by_time_mask(minutes, is_event):
    minutes = minutes.long()
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
