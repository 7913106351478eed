"""Mistake: length without gradient
Message: points along the rows
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = (image / image.detach().norm(dim=-1, keepdim=True).clamp(min=1e-12)) @ F.normalize(text, dim=-1).T
    z = log_scale.exp() * cosine + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
