"""Mistake: the length is detached, so gradients point along the rows
Message: gradient
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    a = image_emb / image_emb.detach().norm(dim=-1, keepdim=True)
    b = text_emb / text_emb.norm(dim=-1, keepdim=True).detach()
    s = a @ b.T / temperature
    y = torch.arange(len(s))
    forth, back = F.cross_entropy(s, y), F.cross_entropy(s.T, y)
    return (forth + back) / 2, forth, back
