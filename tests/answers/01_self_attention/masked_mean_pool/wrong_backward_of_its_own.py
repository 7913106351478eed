"""
Mistake: a backward of its own: the last note of the batch counts half as much again.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        gradient[-1] *= 1.5
        return gradient


def masked_mean_pool(x, is_token):
    keep = is_token[..., None].to(x.dtype)
    return Unlike.apply((x * keep).sum(1) / keep.sum(1).clamp(min=1))
