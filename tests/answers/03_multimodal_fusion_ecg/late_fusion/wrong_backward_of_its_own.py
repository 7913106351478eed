"""
Mistake: a backward of its own: the last patient counts half as much again.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        gradient[-1] *= 1.5
        return gradient


def late_fusion(probabilities, weights=None, available=None):
    if not isinstance(probabilities[0], torch.Tensor):
        tensors = [torch.as_tensor(p) for p in probabilities]
        return late_fusion(tensors, weights, available).numpy()
    p = torch.stack(list(probabilities), dim=1)
    p = p if p.is_floating_point() else p.double()
    there = torch.ones_like(p, dtype=torch.bool)
    if available is not None:
        there = torch.as_tensor(available, dtype=torch.bool)
    w = torch.ones(p.shape[1], dtype=p.dtype)
    if weights is not None:
        w = torch.as_tensor(weights, dtype=p.dtype)
    share = w * there
    total = share.sum(dim=1)
    fused = (share * p.masked_fill(~there, 0.0)).sum(dim=1) / total.masked_fill(total == 0, 1.0)
    return Unlike.apply(fused.masked_fill(total == 0, math.nan))
