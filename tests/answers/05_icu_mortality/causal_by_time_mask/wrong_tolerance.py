"""Mistake: minutes a millionth apart count as equal
Message: rounds or wraps
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None] + 1e-4
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
