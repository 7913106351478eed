"""Mistake: minus infinity for the scores
Message: torch.bool
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] <= minutes[:, :, None]
    mask = (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
    return torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
