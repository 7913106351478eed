"""Mistake: dot products
Message: not normalised
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = image @ text.T
    z = log_scale.exp() * cosine + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
