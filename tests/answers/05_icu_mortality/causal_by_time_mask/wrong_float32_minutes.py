"""Mistake: minutes become float32 first
Message: rounds or wraps
"""

def causal_by_time_mask(minutes, is_event):
    minutes = minutes.float()
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
