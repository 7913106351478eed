"""Mistake: The rank begins at 0.
Message: the rank begins at 1
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = max(1, int((values <= values[secret]).sum()) - 1)
    return float(np.log2(len(values)) - np.log2(rank))
