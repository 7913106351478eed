"""Positions compared."""

def causal_mask(length, device=None):
    position = torch.arange(length, device=device)
    return (position[None, :] <= position[:, None])[None, None]
