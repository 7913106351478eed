"""Mistake: The index is taken to count from 1.
Message: counts from 0
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    mine = values[secret - 1]
    rank = int((values <= mine).sum())
    return float(np.log2(len(values)) - np.log2(rank))
