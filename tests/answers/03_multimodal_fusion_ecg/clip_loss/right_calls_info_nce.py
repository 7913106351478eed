def clip_loss(image_features, text_features, logit_scale):
    temperature = torch.exp(-torch.clamp(logit_scale, max=np.log(100)))
    return info_nce(image_features, text_features, temperature)[0]
