"""A query of zeros at first, one linear map for keys and values, exp and sum by hand.
"""

class AttentionPooling(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("num_heads must divide d_model")
        self.h, self.d = num_heads, d_model // num_heads
        self.q = nn.Parameter(torch.zeros(1, d_model))
        self.kv = nn.Linear(d_model, 2 * d_model, bias=False)

    def forward(self, x, is_event):
        b, t, _ = x.shape
        k, v = self.kv(x).reshape(b, t, 2, self.h, self.d).permute(2, 0, 3, 1, 4)
        s = (k * self.q.view(1, self.h, 1, self.d)).sum(-1) * self.d**-0.5
        m = is_event.unsqueeze(1).expand_as(s)
        s = s.masked_fill(~m, float("-inf"))
        top = s.amax(-1, keepdim=True)
        e = torch.where(m, (s - top.masked_fill(top.isinf(), 0)).exp(), torch.zeros_like(s))
        w = e / e.sum(-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        return (w.unsqueeze(-2) @ v).reshape(b, -1), w
