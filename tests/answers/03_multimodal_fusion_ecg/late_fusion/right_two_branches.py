def late_fusion(probabilities, weights=None, available=None):
    if isinstance(probabilities[0], torch.Tensor):
        p = torch.stack(list(probabilities))
        if not torch.is_floating_point(p):
            p = p.float()
        a = torch.ones(p.shape) if available is None else torch.as_tensor(available).T
        a = a.to(p.dtype)
        w = torch.ones(len(p)) if weights is None else torch.as_tensor(weights)
        w = w.to(p.dtype)[:, None] * a
        p = torch.where(a > 0, p, torch.zeros_like(p))
        total = w.sum(0)
        fused = (w * p).sum(0) / total.clamp(min=1e-30)
        return fused.masked_fill(total == 0, float("nan"))
    p = np.stack(probabilities)
    p = p if p.dtype.kind == "f" else p.astype(float)
    a = np.ones(p.shape, bool) if available is None else np.asarray(available).T
    w = np.ones(len(p)) if weights is None else np.asarray(weights)
    w = (w[:, None] * a).astype(p.dtype)
    return (w * np.where(a, p, 0).astype(p.dtype)).sum(0) / w.sum(0)
