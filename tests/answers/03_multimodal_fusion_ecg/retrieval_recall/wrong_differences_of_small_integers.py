"""Mistake: Differences of unsigned integers wrap round.
Message: further case
"""


def retrieval_recall(similarity, k):
    s = similarity.detach().numpy() if isinstance(similarity, torch.Tensor) else np.asarray(similarity)
    match = np.diagonal(s)
    rows, columns = (s - match[:, None] >= 0).sum(1), (s - match >= 0).sum(0)
    return float(np.mean(rows <= k)), float(np.mean(columns <= k))
