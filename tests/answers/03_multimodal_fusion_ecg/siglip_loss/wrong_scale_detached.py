"""Mistake: scale as a number
Message: No gradient of the loss reaches `log_scale`
"""

def siglip_loss(image, text, same, log_scale, bias):
    if not image.is_floating_point():
        image, text = image.float(), text.float()
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = math.exp(log_scale.item()) * cosine + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
