"""numpy's tri."""

def causal_mask(length, device=None):
    m = torch.from_numpy(np.tri(length, dtype=bool))[None, None]
    return m if device is None else m.to(device)
