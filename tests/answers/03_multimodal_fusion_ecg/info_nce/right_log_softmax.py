def info_nce(image_emb, text_emb, temperature=0.07):
    a = image_emb / image_emb.norm(dim=1, keepdim=True)
    b = text_emb / text_emb.norm(dim=1, keepdim=True)
    s = torch.einsum("nd,md->nm", a, b) / temperature
    i2t = -s.log_softmax(dim=1).diagonal().mean()
    t2i = -s.log_softmax(dim=0).diagonal().mean()
    return 0.5 * (i2t + t2i), i2t, t2i
