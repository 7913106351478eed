def info_nce(image_emb, text_emb, temperature=0.07):
    print("chatty answers are fine")
    sim = F.cosine_similarity(image_emb[:, None, :], text_emb[None, :, :], dim=-1).div(temperature)
    target = torch.eye(len(sim), dtype=sim.dtype)
    i2t = F.cross_entropy(sim, target)
    t2i = F.cross_entropy(sim.t(), target)
    return (i2t + t2i).mul(0.5), i2t, t2i
