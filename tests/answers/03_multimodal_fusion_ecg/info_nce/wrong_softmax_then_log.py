"""Mistake: log of an underflowed softmax
Message: overflows
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    i2t, t2i = -s.softmax(1).diagonal().log().mean(), -s.softmax(0).diagonal().log().mean()
    return (i2t + t2i) / 2, i2t, t2i
