"""Mistake: one mask for the whole batch
Message: the mask
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known[:1] & is_event[:, None, :] & is_event[:, :, None])[:, None]
