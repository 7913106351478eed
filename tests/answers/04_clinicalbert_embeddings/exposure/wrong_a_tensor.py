"""Mistake: A tensor comes back.
Message: expected a float
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    if values.isnan().any():
        raise ValueError("nan among the losses")
    rank = (values <= values[secret]).sum()
    return torch.log2(torch.tensor(float(len(values)))) - torch.log2(rank)
