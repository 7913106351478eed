"""Mistake: a tie counts half
Message: ties count against: other candidates that
"""

def retrieval_recall(
    similarity: np.ndarray | torch.Tensor, k: int
) -> tuple[float, float]:
    """Share of images whose text is among the first k, and of texts whose image is.

    Shapes: similarity (N, N), rows images, columns texts -> two Python floats.
    """
    table = np.asarray(torch.as_tensor(similarity).detach())
    match = np.diag(table)
    # the match itself is one of those that score at least as high as it: take it off
    better_texts = ((table >= match[:, None]).sum(axis=1) - 1 + (table > match[:, None]).sum(axis=1)) / 2
    better_images = (table >= match[None, :]).sum(axis=0) - 1
    return float((better_texts < k).mean()), float((better_images < k).mean())
    ### END SOLUTION
