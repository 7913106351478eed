"""Mistake: the sign is not applied to the bias
Message: sign belongs to the whole z
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = log_scale.exp() * cosine
    return -F.logsigmoid(torch.where(same, z, -z) + bias).sum() / len(z)
