"""Mistake: tensors come in and are sorted out of place into themselves
Message: changed
"""

def retrieval_recall(similarity, k):
    own = np.array([float(similarity[i, i]) for i in range(len(similarity))])
    for i in range(len(similarity)):
        similarity[i, i] = -99
    s = np.asarray(similarity)
    return float(((s >= own[:, None]).sum(1) < k).mean()), float(((s >= own).sum(0) < k).mean())
