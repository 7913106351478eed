"""Mistake: argmax finds the first of equals
Message: ties
"""

def retrieval_recall(similarity, k):
    s = np.array(torch.as_tensor(similarity).detach(), dtype=float)
    n = len(s)

    def one_way(s):
        s, hits = s.copy(), np.zeros(n, dtype=bool)
        for _ in range(min(k, n)):
            best = s.argmax(axis=1)
            hits |= best == np.arange(n)
            s[np.arange(n), best] = -np.inf
        return float(hits.mean())

    return one_way(s), one_way(s.T)
