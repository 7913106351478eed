"""Mistake: The place in the sorted list, ties as they come.
Message: four equal losses
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = int((values.argsort() == secret).nonzero()[0]) + 1
    return float(np.log2(len(values)) - np.log2(rank))
