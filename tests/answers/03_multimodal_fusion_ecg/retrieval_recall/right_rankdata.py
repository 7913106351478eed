from scipy.stats import rankdata


def retrieval_recall(similarity, k):
    """SciPy's ranks of the negative, ties at the worst place."""
    s = -np.array(torch.as_tensor(similarity).detach(), dtype=float)
    by_row = np.diag(rankdata(s, method="max", axis=1))
    by_column = np.diag(rankdata(s, method="max", axis=0))
    return float(np.mean(by_row <= k)), float(np.mean(by_column <= k))
