"""Mistake: Nats instead of bits.
Message: `log2`
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = int((values <= values[secret]).sum())
    return float(np.log(len(values)) - np.log(rank))
