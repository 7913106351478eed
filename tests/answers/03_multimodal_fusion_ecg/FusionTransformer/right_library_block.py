"""Two blocks of the course's library, the summary at the end."""

class FusionTransformer(nn.Module):
    def __init__(self, widths, d_model, num_heads, n_out):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide {d_model}")
        self.maps = nn.ModuleList([nn.Linear(w, d_model) for w in widths])
        self.query = nn.Parameter(torch.randn(1, 1, d_model))
        self.blocks = nn.ModuleList([layers.EncoderBlock(d_model, num_heads) for _ in range(2)])
        self.out = nn.Linear(d_model, n_out)

    def forward(self, inputs, available):
        clean = [torch.where(a[:, None], x, torch.zeros_like(x)) for x, a in zip(inputs, available.T)]
        x = torch.stack([f(v) for f, v in zip(self.maps, clean)], dim=1)
        x = torch.cat([x, self.query.expand(len(x), 1, -1)], dim=1)
        seen = torch.cat([available, torch.ones_like(available[:, :1])], dim=1)
        for block in self.blocks:
            x, weights = block(x, attn_mask=seen[:, None, None, :], need_weights=True)
        return self.out(x[:, -1]), weights.mean(1)[:, -1, :-1]
