def retrieval_recall(similarity, k):
    s = np.array(torch.as_tensor(similarity).detach())
    own = np.diagonal(s)
    return np.mean((s >= own[:, None]).sum(1) <= k), np.mean((s >= own).sum(0) <= k)
