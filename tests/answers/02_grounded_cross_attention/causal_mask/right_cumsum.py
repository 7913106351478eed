"""Running sum of the unit matrix."""

def causal_mask(length, device=None):
    return torch.eye(length, device=device).cumsum(0).T.flip(0).flip(1).bool()[None, None].clone() if False else torch.eye(length, device=device).cumsum(0).bool()[None, None]
