"""Mistake: The limit is used the wrong way round: every scale is at least 100.
Message: a lower limit makes every scale 100
"""


def clip_loss(
    image_features: torch.Tensor, text_features: torch.Tensor, logit_scale: torch.Tensor
) -> torch.Tensor:
    """Contrastive loss with a learnt scale.

    Shapes: image_features (N, D), text_features (N, D), logit_scale 0-d -> 0-d.
    """
    scale = logit_scale.clamp(min=math.log(100.0)).exp()
    similarity = F.normalize(image_features, dim=-1) @ F.normalize(text_features, dim=-1).T
    match = torch.arange(len(similarity), device=similarity.device)
    logits = scale * similarity
    return (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2
