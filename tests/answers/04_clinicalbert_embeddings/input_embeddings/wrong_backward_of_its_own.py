"""
Mistake: a backward of its own: the features learn in reverse order.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.flip(-1)


def input_embeddings(model, input_ids):
    layer = model.embeddings
    words = Unlike.apply(layer.word_embeddings.weight[input_ids])
    positions = layer.position_embeddings.weight[: input_ids.shape[1]]
    return layer.LayerNorm(words + positions + layer.token_type_embeddings.weight[0])
