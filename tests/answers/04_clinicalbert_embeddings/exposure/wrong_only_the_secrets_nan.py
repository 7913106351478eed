"""Mistake: Only the secret's loss is looked at for nan.
Message: nan
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values[secret].isnan():
        raise ValueError("nan")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
