"""Mistake: divided by the length
Message: vector of zeros
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = (image / image.norm(dim=-1, keepdim=True)) @ (text / text.norm(dim=-1, keepdim=True)).T
    z = log_scale.exp() * cosine + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
