"""Mistake: integers are not converted
Message: It raised
"""

def siglip_loss(image, text, same, log_scale, bias):
    cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    z = log_scale.exp() * cosine + bias
    return -F.logsigmoid(torch.where(same, z, -z)).sum() / len(z)
