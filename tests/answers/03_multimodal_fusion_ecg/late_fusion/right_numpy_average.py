def late_fusion(probabilities, weights=None, available=None):
    first = probabilities[0]
    if isinstance(first, torch.Tensor) and first.requires_grad or isinstance(first, torch.Tensor):
        p = torch.stack([q if q.is_floating_point() else q.double() for q in probabilities], -1)
        keep = torch.ones_like(p).bool() if available is None else available
        w = torch.full((p.shape[-1],), 1.0) if weights is None else weights
        w = torch.where(keep, w.to(p), torch.zeros_like(p))
        w = w / w.sum(-1, keepdim=True)  # 0 / 0 is nan where nothing is there
        return (w * torch.where(keep, p, torch.zeros_like(p))).sum(-1)
    p = np.ma.masked_array(np.stack(probabilities, -1), mask=None if available is None else ~available)
    w = np.ones(p.shape[-1]) if weights is None else weights
    out = np.ma.average(p, axis=-1, weights=np.broadcast_to(w, p.shape))
    out = np.ma.filled(out.astype(float), np.nan)
    return out.astype(first.dtype) if first.dtype.kind == "f" else out
