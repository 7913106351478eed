"""Mistake: events of the same minute do not see each other
Message: same minute
"""

def causal_by_time_mask(minutes, is_event):
    known = minutes[:, None, :] < minutes[:, :, None]
    known = known | torch.eye(minutes.shape[1], dtype=torch.bool)
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
