def retrieval_recall(similarity, k):
    n = len(similarity)
    rows = cols = 0
    for i in range(n):
        own = similarity[i][i]
        rows += sum(bool(similarity[i][j] >= own) for j in range(n) if j != i) < k
        cols += sum(bool(similarity[j][i] >= own) for j in range(n) if j != i) < k
    return rows / n, cols / n
