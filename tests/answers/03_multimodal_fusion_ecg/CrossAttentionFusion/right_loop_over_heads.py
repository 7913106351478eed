class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("cannot split %d into %d heads" % (d_model, num_heads))
        w = d_model // num_heads
        self.q = nn.ModuleList(nn.Linear(d_model, w) for _ in range(num_heads))
        self.k = nn.ModuleList(nn.Linear(d_model, w) for _ in range(num_heads))
        self.v = nn.ModuleList(nn.Linear(d_model, w) for _ in range(num_heads))
        self.o = nn.Linear(d_model, d_model)

    def forward(self, query_tokens, context_tokens, context_available=None):
        there = torch.ones(context_tokens.shape[:2]).bool() if context_available is None else context_available
        context = torch.where(there[..., None], context_tokens, torch.zeros_like(context_tokens))
        outs, maps = [], []
        for q, k, v in zip(self.q, self.k, self.v):
            a, b, c = q(query_tokens), k(context), v(context)
            s = torch.bmm(a, b.transpose(1, 2)) / math.sqrt(a.shape[-1])
            w = torch.softmax(s.masked_fill(~there[:, None], -1e30), -1) * there[:, None]
            maps.append(w)
            outs.append(torch.bmm(w, c))
        return self.o(torch.cat(outs, -1)), torch.stack(maps, 1)
