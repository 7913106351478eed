"""Mistake: cross_entropy of probabilities
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    y = torch.arange(len(s))
    forth, back = F.cross_entropy(s.softmax(1), y), F.cross_entropy(s.T.softmax(1), y)
    return (forth + back) / 2, forth, back
