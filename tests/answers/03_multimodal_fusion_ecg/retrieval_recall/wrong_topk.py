"""Mistake: topk breaks ties by itself, and fails for k > N
Message: RuntimeError
"""

def retrieval_recall(similarity, k):
    s = torch.as_tensor(similarity)
    index = torch.arange(len(s))
    forth = (s.topk(k, dim=1).indices == index[:, None]).any(1).double().mean()
    back = (s.topk(k, dim=0).indices == index).any(0).double().mean()
    return float(forth), float(back)
