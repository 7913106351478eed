"""Mistake: zeros and ones
Message: torch.bool
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None].float()
