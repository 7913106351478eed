def clip_loss(image_features, text_features, logit_scale):
    limit = torch.log(torch.tensor(100.0, dtype=logit_scale.dtype))
    s = torch.exp(torch.minimum(logit_scale, limit))
    a = image_features / image_features.norm(dim=-1, keepdim=True)
    b = text_features / text_features.norm(dim=-1, keepdim=True)
    z = s * (a @ b.mT)
    return -(z.log_softmax(0).diagonal() + z.log_softmax(1).diagonal()).mean() / 2
