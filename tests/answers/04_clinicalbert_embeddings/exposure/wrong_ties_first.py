"""Mistake: Equal losses do not count.
Message: secret's own loss counts
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = 1 + int((values < values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
