"""Mistake: One direction is detached in the total: its value is right, its gradient is not.
Message: its gradient in
"""


def info_nce(
    image_emb: torch.Tensor, text_emb: torch.Tensor, temperature: float = 0.07
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Contrastive loss of N pairs.

    Shapes: image_emb (N, D), text_emb (N, D) -> total, image_to_text, text_to_image, each 0-d.
    """
    image = F.normalize(image_emb, dim=-1)
    text = F.normalize(text_emb, dim=-1)
    similarity = image @ text.T / temperature  # (N, N), rows images, columns texts
    match = torch.arange(len(similarity), device=similarity.device)
    image_to_text = F.cross_entropy(similarity, match)
    text_to_image = F.cross_entropy(similarity.T, match)
    return (image_to_text.detach() + text_to_image) / 2, image_to_text, text_to_image
