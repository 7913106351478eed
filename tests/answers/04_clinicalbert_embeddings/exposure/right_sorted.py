"""Sorted, and the place behind the last equal one."""


def exposure(losses, secret):
    values = torch.as_tensor(losses).detach().double().numpy()
    if np.isnan(values).any():
        raise ValueError("a loss is nan")
    rank = np.searchsorted(np.sort(values), values[secret], side="right")
    return float(np.log2(len(values) / rank))
