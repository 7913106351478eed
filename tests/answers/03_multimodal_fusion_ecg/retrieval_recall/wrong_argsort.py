"""Mistake: argsort breaks ties by position
Message: ties
"""

def retrieval_recall(similarity, k):
    s = np.asarray(torch.as_tensor(similarity).detach())
    index = np.arange(len(s))
    forth = (np.argsort(-s, axis=1, kind="stable")[:, :k] == index[:, None]).any(1).mean()
    back = (np.argsort(-s, axis=0, kind="stable")[:k] == index).any(0).mean()
    return float(forth), float(back)
