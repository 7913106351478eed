def late_fusion(probabilities, weights=None, available=None):
    """NumPy's masked arrays for arrays, nansum for tensors."""
    tensors = isinstance(probabilities[0], torch.Tensor)
    if tensors:
        p = torch.stack(tuple(probabilities), -1)
        p = p if torch.is_floating_point(p) else p.to(torch.get_default_dtype())
        a = torch.ones(p.shape) if available is None else torch.as_tensor(available).float()
        w = torch.ones(p.shape[-1]) if weights is None else torch.as_tensor(weights)
        share = (a.to(p) * w.to(p)).expand(p.shape)
        share = share / share.sum(-1, keepdim=True)
        return torch.where(share > 0, p, torch.zeros_like(p)).mul(share).sum(-1)
    p = np.stack([np.asarray(v) for v in probabilities], axis=1)
    if p.dtype.kind != "f":
        p = p.astype(float)
    mask = np.zeros(p.shape, bool) if available is None else ~np.asarray(available, dtype=bool)
    w = None if weights is None else np.asarray(weights, dtype=float)
    fused = np.ma.average(np.ma.array(p, mask=mask), axis=1, weights=w)
    return np.ma.filled(fused.astype(p.dtype), np.nan)
