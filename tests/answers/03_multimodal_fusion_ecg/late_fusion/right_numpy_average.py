def late_fusion(probabilities, weights=None, available=None):
    first = probabilities[0]
    if isinstance(first, torch.Tensor) and first.requires_grad or isinstance(first, torch.Tensor):
        p = torch.stack([q if q.is_floating_point() else q.double() for q in probabilities], -1)
        keep = torch.ones_like(p).bool() if available is None else torch.as_tensor(available)
        w = torch.full((p.shape[-1],), 1.0) if weights is None else torch.as_tensor(weights)
        w = torch.where(keep, w.to(p), torch.zeros_like(p))
        total = w.sum(-1, keepdim=True)
        w = w / torch.where(total > 0, total, torch.ones_like(total))
        fused = (w * torch.where(keep, p, torch.zeros_like(p))).sum(-1)
        return torch.where(total[:, 0] > 0, fused, torch.full_like(fused, float("nan")))
    available = None if available is None else np.asarray(available)
    p = np.ma.masked_array(np.stack(probabilities, -1), mask=None if available is None else ~available)
    w = np.ones(p.shape[-1]) if weights is None else np.asarray(weights)
    out = np.ma.average(p, axis=-1, weights=np.broadcast_to(w, p.shape))
    out = np.ma.filled(out.astype(float), np.nan)
    return out.astype(first.dtype) if first.dtype.kind == "f" else out
