"""
Mistake: a backward of its own: the scores learn half as fast.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


class AttentionPooling(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        self.query = nn.Parameter(torch.randn(num_heads, d_model // num_heads))
        self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(3))

    def forward(self, x, is_event):
        heads = (*x.shape[:2], self.num_heads, -1)
        key, value = self.key(x).view(heads), self.value(x).view(heads)
        scores = torch.einsum("hd,bthd->bht", self.query, key) / key.shape[-1] ** 0.5
        keep = is_event[:, None]
        scores = Unlike.apply(scores).masked_fill(~keep, torch.finfo(x.dtype).min)
        weights = scores.softmax(-1) * keep
        pooled = torch.einsum("bht,bthd->bhd", weights, value).flatten(1)
        return self.out(pooled), weights
