"""Mistake: correlations instead of cosines
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    a = F.normalize(image_emb - image_emb.mean(-1, keepdim=True), dim=-1)
    b = F.normalize(text_emb - text_emb.mean(-1, keepdim=True), dim=-1)
    s = a @ b.T / temperature
    y = torch.arange(len(s))
    forth, back = F.cross_entropy(s, y), F.cross_entropy(s.T, y)
    return (forth + back) / 2, forth, back
