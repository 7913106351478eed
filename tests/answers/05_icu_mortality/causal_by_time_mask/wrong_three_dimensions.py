"""Mistake: no dimension for the heads
Message: one mask for all heads
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])
