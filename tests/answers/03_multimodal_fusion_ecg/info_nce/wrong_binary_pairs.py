"""Mistake: binary cross-entropy of every pair
Message: yes-or-no question
"""


def info_nce(image_emb, text_emb, temperature=0.07):
    image_emb = F.normalize(image_emb, dim=-1)
    text_emb = F.normalize(text_emb, dim=-1)
    sim = image_emb @ text_emb.T / temperature
    y = torch.eye(len(sim))
    a = F.binary_cross_entropy_with_logits(sim, y)
    b = F.binary_cross_entropy_with_logits(sim.T, y)
    return (a + b) / 2, a, b
