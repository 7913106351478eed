"""einsum and a small floor."""


def mean_pool(h, m):
    m = m.to(h.dtype)
    return torch.einsum("btd,bt->bd", h, m) / m.sum(1, keepdim=True).clamp_min(1e-9)
