"""Mistake: The values are right, the backward of the operation gives nothing.
Message: gradient
"""


class Entropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        return -torch.xlogy(w, w).sum(-1)

    @staticmethod
    def backward(ctx, g):
        return None


def attention_entropy(weights):
    return Entropy.apply(weights)
