"""One small projection per head."""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model {d_model}, num_heads {num_heads}: no fit")
        d = d_model // num_heads
        self.q = nn.ModuleList(nn.Linear(d_model, d) for _ in range(num_heads))
        self.k = nn.ModuleList(nn.Linear(d_model, d) for _ in range(num_heads))
        self.v = nn.ModuleList(nn.Linear(d_model, d) for _ in range(num_heads))
        self.out = nn.Linear(d_model, d_model)
        self.scale = d**-0.5

    def forward(self, text, image, attn_mask=None):
        B, T, N, H = text.shape[0], text.shape[1], image.shape[1], len(self.q)
        mask = torch.ones(B, H, T, N, dtype=torch.bool) if attn_mask is None else attn_mask.expand(B, H, T, N)
        contexts, maps = [], []
        for h in range(H):
            s = torch.bmm(self.q[h](text), self.k[h](image).mT) * self.scale
            w = torch.softmax(s.masked_fill(~mask[:, h], -1e9), -1) * mask[:, h]
            contexts.append(torch.bmm(w, self.v[h](image)))
            maps.append(w)
        return self.out(torch.cat(contexts, -1)), torch.stack(maps, 1)
