"""Mistake: an additive -inf: nan_to_num mends the value, not the gradient.
Message: gradient
"""

class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.h, self.d = num_heads, d_model // num_heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(d_model, d_model) for _ in range(4))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.h, self.d).transpose(1, 2)

    def join(self, x):
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], self.h * self.d)

    def forward(self, text, image, attn_mask=None):
        q, k, v = self.split(self.wq(text)), self.split(self.wk(image)), self.split(self.wv(image))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d)
        if attn_mask is not None:
            scores = scores + torch.zeros_like(scores).masked_fill(~attn_mask, float('-inf'))
        weights = scores.softmax(-1)
        if attn_mask is not None:
            weights = torch.nan_to_num(weights)
        return self.wo(self.join(weights @ v)), weights
