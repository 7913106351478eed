def retrieval_recall(similarity, k):
    s = torch.as_tensor(similarity)
    own = torch.diagonal(s)
    other = ~torch.eye(len(s), dtype=torch.bool)
    rank_texts = ((s >= own.unsqueeze(1)) & other).sum(dim=1)
    rank_images = ((s >= own.unsqueeze(0)) & other).sum(dim=0)
    return (rank_texts < k).double().mean().item(), (rank_images < k).double().mean().item()
