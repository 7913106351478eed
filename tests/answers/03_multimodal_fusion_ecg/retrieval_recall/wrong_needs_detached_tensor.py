"""Mistake: A tensor that requires grad cannot become an array like this.
Message: grad
"""


def retrieval_recall(similarity, k):
    s = similarity.numpy() if isinstance(similarity, torch.Tensor) else np.asarray(similarity)
    match = np.diagonal(s)
    rows, columns = (s >= match[:, None]).sum(1), (s >= match).sum(0)
    return float(np.mean(rows <= k)), float(np.mean(columns <= k))
