"""Binary cross-entropy with logits, summed."""

def siglip_loss(image, text, same, log_scale, bias):
    image, text = (x if x.is_floating_point() else x.to(torch.get_default_dtype()) for x in (image, text))
    z = torch.exp(log_scale) * F.cosine_similarity(image.unsqueeze(1), text.unsqueeze(0), dim=2) + bias
    return F.binary_cross_entropy_with_logits(z, same.to(z.dtype), reduction="sum") / z.shape[0]
