"""Right pairs and wrong pairs apart, row by row."""

def siglip_loss(image, text, same, log_scale, bias):
    if image.dtype in (torch.int32, torch.int64):
        image, text = image.to(torch.float32), text.to(torch.float32)
    image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    total = image.new_zeros(())
    for i in range(len(image)):
        z = log_scale.exp() * (text @ image[i]) + bias
        total = total - F.logsigmoid(z)[same[i]].sum() - F.logsigmoid(-z)[~same[i]].sum()
    return total / len(image)
