"""Mistake: An infinite loss is refused.
Message: ValueError
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if not values.isfinite().all():
        raise ValueError("losses must be finite")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
