"""
Mistake: a backward of its own: the similarities learn with the gradient of another row.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.roll(1, 0)


def info_nce(image_emb, text_emb, temperature=0.07):
    image, text = F.normalize(image_emb, dim=-1), F.normalize(text_emb, dim=-1)
    similarity = Unlike.apply(image @ text.T / temperature)
    match = torch.arange(len(similarity))
    forth, back = F.cross_entropy(similarity, match), F.cross_entropy(similarity.T, match)
    return (forth + back) / 2, forth, back
