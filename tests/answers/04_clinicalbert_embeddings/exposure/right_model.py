"""The model answer."""


def exposure(losses: np.ndarray | torch.Tensor, secret: int) -> float:
    """Bits by which a model prefers a secret to the other candidates.  ``(n,)`` -> float."""
    values = torch.as_tensor(losses)
    if values.isnan().any():
        raise ValueError("losses holds nan, which has no rank")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
