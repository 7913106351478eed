"""Mistake: nan is not looked for.
Message: nan
"""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double()
    rank = max(1, int((values <= values[secret]).sum()))
    return float(np.log2(len(values)) - np.log2(rank))
