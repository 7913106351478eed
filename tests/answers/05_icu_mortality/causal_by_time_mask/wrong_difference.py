"""Mistake: a difference, which wraps for unsigned minutes
Message: rounds or wraps
"""

def causal_by_time_mask(minutes, is_event):
    known = (minutes[:, :, None] - minutes[:, None, :]) >= 0
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
