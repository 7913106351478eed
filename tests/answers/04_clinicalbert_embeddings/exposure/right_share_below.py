"""Minus the logarithm of the share of candidates that are not above."""


def exposure(losses, secret):
    if not isinstance(losses, torch.Tensor):
        losses = torch.from_numpy(np.asarray(losses))
    with torch.no_grad():
        losses = losses.double()
        if torch.isnan(losses).any():
            raise ValueError("losses must not be nan")
        return -torch.log2((losses <= losses[secret]).double().mean()).item()
