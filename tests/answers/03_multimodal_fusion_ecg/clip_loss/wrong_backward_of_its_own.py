"""
Mistake: a backward of its own: the features learn a tenth faster.
Message: gradient
"""


class Unlike(torch.autograd.Function):
    """The value goes through; the gradient comes back changed."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 1.1 * gradient


def clip_loss(image_features, text_features, logit_scale):
    scale = logit_scale.clamp(max=math.log(100.0)).exp()
    image, text = F.normalize(image_features, dim=-1), F.normalize(text_features, dim=-1)
    logits = scale * Unlike.apply(image @ text.T)
    match = torch.arange(len(logits))
    return (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2
