"""Plain loops.
"""

def causal_by_time_mask(minutes, is_event):
    b, t = minutes.shape
    mask = torch.zeros(b, 1, t, t, dtype=torch.bool, device=minutes.device)
    for i in range(b):
        events = is_event[i].nonzero()[:, 0].tolist()
        for q in events:
            for k in events:
                mask[i, 0, q, k] = bool(minutes[i, k] <= minutes[i, q])
    return mask
