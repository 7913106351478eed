"""Mistake: exp overflows at small temperatures
Message: overflows
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    a, b = F.normalize(image_emb, dim=-1), F.normalize(text_emb, dim=-1)
    e = (a @ b.T / temperature).exp()
    d = e.diagonal()
    i2t, t2i = -(d / e.sum(1)).log().mean(), -(d / e.sum(0)).log().mean()
    return (i2t + t2i) / 2, i2t, t2i
