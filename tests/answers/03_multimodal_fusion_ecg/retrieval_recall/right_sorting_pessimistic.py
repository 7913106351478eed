def retrieval_recall(similarity, k):
    s = similarity.detach().numpy() if isinstance(similarity, torch.Tensor) else np.asarray(similarity)

    def one_way(table):
        n = table.shape[0]
        if k >= n:
            return 1.0
        hits = 0
        for i, row in enumerate(table):
            others = np.sort(np.delete(row, i))[::-1]
            hits += bool(row[i] > others[k - 1])  # beaten or tied by the k-th best other
        return hits / n

    return one_way(s), one_way(s.T)
