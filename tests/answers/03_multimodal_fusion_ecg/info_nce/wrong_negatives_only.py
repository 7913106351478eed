"""Mistake: the match is left out of the denominator
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    others = s.masked_fill(torch.eye(len(s), dtype=torch.bool), float("-inf"))
    a = (others.logsumexp(1) - s.diagonal()).mean()
    b = (others.logsumexp(0) - s.diagonal()).mean()
    return (a + b) / 2, a, b
