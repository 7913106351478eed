"""Keys and values fused, einsum, softmax by hand."""

class CrossAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"num_heads ({num_heads}) does not divide d_model ({d_model})")
        self.H = num_heads
        self.to_q = nn.Linear(d_model, d_model)
        self.to_kv = nn.Linear(d_model, 2 * d_model)
        self.proj = nn.Linear(d_model, d_model)

    def forward(self, text, image, attn_mask=None):
        B, T, D = text.shape
        q = self.to_q(text).reshape(B, T, self.H, -1)
        k, v = (x.reshape(B, image.shape[1], self.H, -1) for x in self.to_kv(image).chunk(2, -1))
        s = torch.einsum("bthd,bnhd->bhtn", q, k) * (D // self.H) ** -0.5
        if attn_mask is None:
            w = torch.softmax(s, -1)
        else:
            s = torch.where(attn_mask, s, torch.full_like(s, torch.finfo(s.dtype).min))
            e = (s - s.amax(-1, keepdim=True)).exp() * attn_mask
            w = e / e.sum(-1, keepdim=True).clamp_min(1e-30)
        return self.proj(torch.einsum("bhtn,bnhd->bthd", w, v).reshape(B, T, D)), w
