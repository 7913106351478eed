"""Mistake: Near ties count as ties.
Message: a tie is exact
"""


def retrieval_recall(similarity, k):
    s = torch.as_tensor(similarity).detach().double()
    match = s.diagonal()
    rows = (s >= match[:, None] - 1e-6).sum(1) - 1
    columns = (s >= match[None, :] - 1e-6).sum(0) - 1
    return (rows < k).double().mean().item(), (columns < k).double().mean().item()
