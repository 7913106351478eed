def clip_loss(image_features, text_features, logit_scale):
    if logit_scale > math.log(100):
        scale = 100.0
    else:
        scale = torch.exp(logit_scale)
    logits = scale * F.normalize(image_features, dim=1) @ F.normalize(text_features, dim=1).T
    labels = torch.arange(logits.shape[0])
    return torch.stack([F.cross_entropy(logits, labels), F.cross_entropy(logits.T, labels)]).mean()
