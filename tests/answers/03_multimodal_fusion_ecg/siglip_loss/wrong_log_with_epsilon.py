"""Mistake: a small number hides the overflow
Message: to be
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = log_scale.exp() * cosine + bias
    return -torch.log(torch.sigmoid(torch.where(same, z, -z)) + 1e-8).sum() / len(z)
