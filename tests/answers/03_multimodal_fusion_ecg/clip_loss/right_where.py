def clip_loss(image_features, text_features, logit_scale):
    scale = torch.where(logit_scale < math.log(100), logit_scale, math.log(100) * torch.ones_like(logit_scale)).exp()
    cosines = F.cosine_similarity(image_features.unsqueeze(1), text_features.unsqueeze(0), dim=2)
    z = scale * cosines
    i2t = torch.logsumexp(z, 1) - z.diagonal()
    t2i = torch.logsumexp(z, 0) - z.diagonal()
    return torch.cat([i2t, t2i]).mean()
