"""Mistake: class 0 for everybody
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    y = torch.zeros(len(s), dtype=torch.long)
    forth, back = F.cross_entropy(s, y), F.cross_entropy(s.T, y)
    return (forth + back) / 2, forth, back
