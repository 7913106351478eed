class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model}, num_heads={num_heads}")
        w = d_model // num_heads
        self.wq, self.wk, self.wv = (nn.Parameter(torch.randn(num_heads, d_model, w) / d_model**0.5) for _ in range(3))
        self.wo = nn.Parameter(torch.randn(num_heads, w, d_model) / d_model**0.5)

    def forward(self, query_tokens, context_tokens, context_available=None):
        context = context_tokens
        if context_available is not None:
            context = context.masked_fill(~context_available[:, :, None], 0.0)
        q = torch.einsum("btd,hde->bhte", query_tokens, self.wq)
        k = torch.einsum("bsd,hde->bhse", context, self.wk)
        v = torch.einsum("bsd,hde->bhse", context, self.wv)
        e = torch.einsum("bhte,bhse->bhts", q, k) * q.shape[-1] ** -0.5
        e = (e - e.amax(-1, keepdim=True)).exp()
        if context_available is not None:
            e = e * context_available[:, None, None, :]
        total = e.sum(-1, keepdim=True)
        weights = e / torch.where(total > 0, total, torch.ones_like(total))
        return torch.einsum("bhts,bhse,hed->btd", weights, v, self.wo), weights
