"""Mistake: The largest loss has rank 1.
Message: smallest loss has rank 1
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = int((values >= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
