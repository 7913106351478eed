"""Bare parameters, one tensor for three maps; -inf with empty rows rescued."""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} % num_heads={num_heads} != 0")
        d = d_model // num_heads
        self.W = nn.Parameter(torch.randn(3, num_heads, d_model, d) / d_model**0.5)
        self.b = nn.Parameter(torch.zeros(3, num_heads, 1, d))
        self.Wo = nn.Parameter(torch.randn(num_heads, d, d_model) / d_model**0.5)
        self.bo = nn.Parameter(torch.zeros(d_model))

    def forward(self, text, image, attn_mask=None):
        q, k, v = ((x[:, None] @ self.W[i] + self.b[i]) for i, x in enumerate((text, image, image)))
        s = q @ k.mT / q.shape[-1] ** 0.5
        if attn_mask is not None:
            bias = torch.zeros_like(s).masked_fill(~attn_mask, float("-inf"))
            empty = (bias == float("-inf")).all(-1, keepdim=True)
            s = (s + bias).masked_fill(empty, 0.0)
            w = s.softmax(-1).masked_fill(empty, 0.0)
        else:
            w = s.softmax(-1)
        return (w @ v @ self.Wo).sum(1) + self.bo, w
