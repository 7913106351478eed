def info_nce(images, texts, tau=0.07):
    n = images.shape[0]
    sim = torch.stack(
        [torch.stack([F.cosine_similarity(images[i], texts[j], dim=0) for j in range(n)]) for i in range(n)]
    )
    sim = sim / tau
    forth = sum(torch.logsumexp(sim[i], 0) - sim[i, i] for i in range(n)) / n
    back = sum(torch.logsumexp(sim[:, i], 0) - sim[i, i] for i in range(n)) / n
    return [(forth + back) / 2, forth, back]
