class CrossAttentionFusion(nn.Module):
    """Maps without biases: the output map of zero is zero."""

    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide a width of {d_model}")
        self.h = num_heads
        self.q = nn.Linear(d_model, d_model, bias=False)
        self.kv = nn.Linear(d_model, 2 * d_model, bias=False)
        self.o = nn.Linear(d_model, d_model, bias=False)

    def forward(self, query_tokens, context_tokens, context_available=None):
        b, t, d = query_tokens.shape
        s = context_tokens.shape[1]
        if context_available is None:
            context_available = context_tokens.new_ones(b, s).bool()
        seen = torch.where(context_available[..., None], context_tokens, 0.0)
        q = self.q(query_tokens).view(b, t, self.h, d // self.h)
        k, v = self.kv(seen).view(b, s, 2, self.h, d // self.h).unbind(2)
        score = torch.einsum("bthd,bshd->bhts", q, k) * (d // self.h) ** -0.5
        score = score - score.amax(-1, keepdim=True).detach()
        weight = score.exp() * context_available[:, None, None, :]
        weight = weight / weight.sum(-1, keepdim=True).clamp(min=1e-12)
        return self.o(torch.einsum("bhts,bshd->bthd", weight, v).reshape(b, t, d)), weight
