"""A linear score per head, softmax by hand, values not projected."""

class AttentionPooling(nn.Module):
    """One scoring vector per head; no key projection, no output projection."""

    def __init__(self, width, heads):
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} / {heads}")
        self.score = nn.Linear(width, heads, bias=False)
        self.heads = heads

    def forward(self, x, is_event):
        s = self.score(x).transpose(1, 2)                                   # (B, H, T)
        s = torch.where(is_event[:, None], s, torch.full_like(s, -1e30))
        e = torch.exp(s - s.amax(-1, keepdim=True)) * is_event[:, None].to(x.dtype)
        w = e / e.sum(-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        chunks = x.chunk(self.heads, dim=-1)
        x = torch.where(is_event[..., None], x, torch.zeros_like(x))
        pooled = torch.cat([(w[:, h, :, None] * c).sum(1) for h, c in enumerate(chunks)], -1)
        return pooled, w
