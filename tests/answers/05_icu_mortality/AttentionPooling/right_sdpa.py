"""F.scaled_dot_product_attention twice, once with the identity as values."""

class AttentionPooling(nn.Module):
    def __init__(self, d_model: int, num_heads: int):
        if d_model % num_heads:
            raise ValueError("d_model % num_heads != 0")
        super().__init__()
        self.h = num_heads
        self.query = nn.Parameter(torch.randn(d_model) * d_model**-0.5)
        self.kv = nn.Linear(d_model, 2 * d_model)
        self.proj = nn.Linear(d_model, d_model)

    def split(self, x):
        return x.unflatten(-1, (self.h, -1)).transpose(1, 2)

    def forward(self, x, is_event):
        q = self.split(self.query.expand(x.size(0), 1, -1))
        k, v = (self.split(t) for t in self.kv(x).chunk(2, -1))
        mask = is_event[:, None, None]
        pooled = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)     # zeros where all is masked
        pooled = torch.where(mask.any(-1, keepdim=True), pooled, torch.zeros_like(pooled))
        eye = torch.eye(x.size(1), dtype=x.dtype).expand(x.size(0), self.h, -1, -1)
        w = F.scaled_dot_product_attention(q, k, eye, attn_mask=mask)[:, :, 0]
        w = torch.where(is_event[:, None], w, torch.zeros_like(w))
        return self.proj(pooled.transpose(1, 2).flatten(1)), w
