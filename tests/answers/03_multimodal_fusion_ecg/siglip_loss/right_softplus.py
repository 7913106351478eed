"""Signs as numbers, softplus, and lengths by hand."""

def unit(x):
    x = x.float() if not torch.is_floating_point(x) else x
    length = x.square().sum(dim=1, keepdim=True)
    safe = torch.where(length > 0, length, torch.ones_like(length))
    return x / safe.sqrt()


def siglip_loss(image, text, same, log_scale, bias):
    a, b = unit(image), unit(text)
    y = 2 * same.to(a.dtype) - 1
    z = torch.einsum("id,jd->ij", a, b) * log_scale.exp() + bias
    return F.softplus(-y * z).sum(dim=1).mean()
