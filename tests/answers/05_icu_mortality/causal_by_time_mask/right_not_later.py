"""Not later; nan never compares, so padding is taken out at the end.
"""

def causal_by_time_mask(minutes, is_event):
    mask = ~torch.gt(minutes[:, None], minutes[..., None])
    mask = mask.masked_fill(~is_event[:, None], False).masked_fill(~is_event[..., None], False)
    return mask.reshape(len(mask), 1, *mask.shape[1:])
