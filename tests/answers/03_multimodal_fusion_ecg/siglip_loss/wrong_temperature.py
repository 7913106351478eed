"""Mistake: cosines divided by the scale
Message: multiply
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = cosine / log_scale.exp() + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
