"""
Mistake: a backward of its own: in the returned weights the last context token counts half as much again.
Message: not its slope
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        gradient[..., -1] *= 1.5
        return gradient


class CrossAttentionFusion(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        maps = (nn.Linear(d_model, d_model) for _ in range(4))
        self.query, self.key, self.value, self.output = maps

    def forward(self, query_tokens, context_tokens, context_available=None):
        if context_available is None:
            context_available = torch.ones(context_tokens.shape[:2], dtype=torch.bool)
        context = context_tokens.masked_fill(~context_available[..., None], 0.0)
        maps = ((self.query, query_tokens), (self.key, context), (self.value, context))
        q, k, v = (f(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for f, x in maps)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        there = context_available[:, None, None, :]
        weights = scores.masked_fill(~there, torch.finfo(scores.dtype).min).softmax(dim=-1)
        weights = weights.masked_fill(~there, 0.0)
        return self.output((weights @ v).transpose(1, 2).flatten(2)), Unlike.apply(weights)
