"""
Mistake: a backward of its own: every token of a row learns alike, padding apart, but twice as fast.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def mean_pool(last_hidden_state, attention_mask):
    keep = attention_mask.bool().unsqueeze(-1).to(last_hidden_state.dtype)
    return Unlike.apply((last_hidden_state * keep).sum(1) / keep.sum(1).clamp(min=1))
