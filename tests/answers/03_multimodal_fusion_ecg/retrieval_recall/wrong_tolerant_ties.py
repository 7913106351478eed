"""Mistake: close scores are taken for ties
Message: a tie is exact
"""

def retrieval_recall(similarity, k):
    s = np.asarray(torch.as_tensor(similarity).detach(), dtype=float)
    own = np.diag(s)
    forth = (s >= own[:, None] - 1e-4).sum(1) - 1
    back = (s >= own[None] - 1e-4).sum(0) - 1
    return float((forth < k).mean()), float((back < k).mean())
