"""Mistake: projections without bias.
Message: bias
"""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.h, self.d = num_heads, d_model // num_heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.h, self.d).transpose(1, 2)

    def join(self, x):
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], self.h * self.d)

    def forward(self, text, image, attn_mask=None):
        q, k, v = self.split(self.wq(text)), self.split(self.wk(image)), self.split(self.wv(image))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -1e30)
        weights = scores.softmax(-1)
        if attn_mask is not None:
            weights = weights * attn_mask
        return self.wo(self.join(weights @ v)), weights
