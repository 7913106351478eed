"""Mistake: dot products instead of cosines
Message: not normalised
"""


def clip_loss(image_features, text_features, logit_scale):
    s = image_features @ text_features.T * logit_scale.exp().clamp(max=100)
    y = torch.arange(len(s))
    return (F.cross_entropy(s, y) + F.cross_entropy(s.T, y)) / 2
