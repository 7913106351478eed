"""Mistake: softmax over all N x N entries
Message: image_to_text
"""

def info_nce(image_emb, text_emb, temperature=0.07):
    s = F.normalize(image_emb, dim=-1) @ F.normalize(text_emb, dim=-1).T / temperature
    a = (s.flatten().logsumexp(0) - s.diagonal()).mean()
    return a, a, a
