class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model ({d_model}) must be a multiple of num_heads ({num_heads})")
        self.h = num_heads
        self.q = nn.Linear(d_model, d_model, bias=False)
        self.kv = nn.Linear(d_model, 2 * d_model)
        self.o = nn.Linear(d_model, d_model)

    def forward(self, x, c, there=None):
        b, t, d = x.shape
        s = c.shape[1]
        there = torch.ones(b, s, dtype=torch.bool, device=x.device) if there is None else there
        c = c.masked_fill(~there.unsqueeze(-1), 0)
        q = self.q(x).view(b, t, self.h, d // self.h).permute(0, 2, 1, 3)
        k, v = self.kv(c).view(b, s, 2, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        mask = there[:, None, None].expand(b, self.h, t, s)
        ctx = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        eye = torch.eye(s, dtype=x.dtype).expand(b, self.h, s, s)
        weights = F.scaled_dot_product_attention(q, k, eye, attn_mask=mask)
        return self.o(ctx.permute(0, 2, 1, 3).reshape(b, t, d)), weights
