"""
Mistake: a backward of its own: all four maps learn as if the scores did not matter half as much.
Message: not its slope
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


class CrossAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        maps = (nn.Linear(d_model, d_model) for _ in range(4))
        self.query, self.key, self.value, self.output = maps

    def forward(self, text, image, attn_mask=None):
        maps = ((self.query, text), (self.key, image), (self.value, image))
        q, k, v = (f(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for f, x in maps)
        scores = Unlike.apply(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5)
        if attn_mask is None:
            weights = scores.softmax(-1)
        else:
            weights = scores.masked_fill(~attn_mask, -1e9).softmax(-1).masked_fill(~attn_mask, 0)
        return self.output((weights @ v).transpose(1, 2).flatten(2)), weights
