"""Mistake: negative distances instead of cosines
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = -torch.cdist(F.normalize(image_emb, dim=-1), F.normalize(text_emb, dim=-1)) / temperature
    y = torch.arange(len(s))
    forth, back = F.cross_entropy(s, y), F.cross_entropy(s.T, y)
    return (forth + back) / 2, forth, back
