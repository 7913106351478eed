"""Mistake: Losses are rounded to single precision.
Message: expected
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    values = values.float()
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
