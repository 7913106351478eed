def info_nce(image_emb, text_emb, temperature=0.07):
    image_emb, text_emb = (x / x.pow(2).sum(-1, keepdim=True).sqrt() for x in (image_emb, text_emb))
    logits = image_emb.matmul(text_emb.t()) / temperature

    def direction(z):
        z = z - z.max(dim=1, keepdim=True).values.detach()
        return (z.exp().sum(1).log() - torch.diagonal(z)).mean()

    a, b = direction(logits), direction(logits.t())
    return torch.stack([a, b]).mean(), a, b
