"""Mistake: Digits instead of bits.
Message: log10
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = int((values <= values[secret]).sum())
    return float(np.log10(len(values)) - np.log10(rank))
