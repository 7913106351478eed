"""Logarithms of sums of exponentials, in double precision."""

def siglip_loss(image, text, same, log_scale, bias):
    kind = image.dtype if image.is_floating_point() else torch.float32
    a, b = F.normalize(image.double(), dim=1), F.normalize(text.double(), dim=1)
    z = log_scale.double().exp() * a @ b.t() + bias.double()
    signed = z.masked_fill(same, 0.0) - z.masked_fill(~same, 0.0)
    loss = torch.logaddexp(torch.zeros_like(signed), signed)
    return (loss.sum() / len(loss)).to(kind)
