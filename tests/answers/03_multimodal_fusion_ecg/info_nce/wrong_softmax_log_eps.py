"""Mistake: log(softmax + 1e-8) clips large losses
Message: temperature
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    i2t = -(s.softmax(1).diagonal() + 1e-8).log().mean()
    t2i = -(s.softmax(0).diagonal() + 1e-8).log().mean()
    return (i2t + t2i) / 2, i2t, t2i
