"""Mistake: normalises in place
Message: changed
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    with torch.no_grad():
        image_emb /= image_emb.norm(dim=-1, keepdim=True)
        text_emb /= text_emb.norm(dim=-1, keepdim=True)
    s = image_emb @ text_emb.T / temperature
    y = torch.arange(len(s))
    a, b = F.cross_entropy(s, y), F.cross_entropy(s.T, y)
    return (a + b) / 2, a, b
