"""Mistake: always single precision
Message: dtype
"""

def siglip_loss(image, text, same, log_scale, bias):
    image, text = image.float(), text.float()
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = log_scale.float().exp() * cosine + bias.float()
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
