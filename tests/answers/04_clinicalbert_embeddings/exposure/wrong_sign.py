"""Mistake: The sign is the wrong way round.
Message: the sign
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(rank) - np.log2(len(values)))
