"""Dense ranks within each stay: equal minutes share one.
"""

def causal_by_time_mask(minutes, is_event):
    rank = torch.zeros(minutes.shape, dtype=torch.long)
    for i, real in enumerate(is_event):
        rank[i, real] = torch.unique(minutes[i, real], return_inverse=True)[1]
    later = rank[:, None, None, :] > rank[:, None, :, None]
    pair = is_event[:, None, None, :] & is_event[:, None, :, None]
    return pair & ~later
