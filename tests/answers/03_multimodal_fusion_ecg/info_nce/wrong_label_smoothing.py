"""Mistake: smoothed targets
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    y = torch.arange(len(s))
    forth, back = (F.cross_entropy(z, y, label_smoothing=0.02) for z in (s, s.T))
    return (forth + back) / 2, forth, back
