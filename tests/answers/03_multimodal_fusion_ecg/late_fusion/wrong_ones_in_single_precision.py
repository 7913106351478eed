"""
Mistake: equal weights are ones in single precision, so bfloat16 does not stay.
Message: dtype of the probabilities is kept
"""

def late_fusion(
    probabilities: Sequence[np.ndarray] | Sequence[torch.Tensor],
    weights: np.ndarray | torch.Tensor | None = None,
    available: np.ndarray | torch.Tensor | None = None,
) -> np.ndarray | torch.Tensor:
    """Weighted mean of the probabilities over what each patient has.

    Shapes: probabilities M times (N,), weights (M,), available (N, M) bool -> (N,).
    """
    if not isinstance(probabilities[0], torch.Tensor):
        tensors = [torch.as_tensor(np.asarray(p)) for p in probabilities]
        return late_fusion(tensors, weights, available).numpy()
    p = torch.stack(list(probabilities), dim=1)  # (N, M)
    p = p if p.is_floating_point() else p.double()
    there = torch.ones_like(p, dtype=torch.bool)
    if available is not None:
        there = torch.as_tensor(available, dtype=torch.bool, device=p.device)
    w = torch.ones(p.shape[1])
    if weights is not None:
        w = torch.as_tensor(weights, dtype=p.dtype, device=p.device)
    share = w * there  # (N, M)
    total = share.sum(dim=1)
    fused = (share * p.masked_fill(~there, 0.0)).sum(dim=1) / total.masked_fill(total == 0, 1.0)
    return fused.masked_fill(total == 0, math.nan)
