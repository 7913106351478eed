"""Mistake: rows and columns are exchanged
Message: rows are queries
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] >= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
