"""Mistake: the place counts, not the minute
Message: not the minute
"""

def causal_by_time_mask(minutes, is_event):
    known = torch.ones(minutes.shape[1], minutes.shape[1], dtype=torch.bool).tril()[None]
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
