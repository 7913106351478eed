"""Mistake: Nothing wanted gives None.
Message: Expected (indices
"""


def nearest_notes(
    query_embedding: torch.Tensor, note_embeddings: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k most similar notes.  ``(D,)``, ``(N, D)`` -> indices and cosines, both ``(min(k, N),)``."""
    if k == 0 or len(note_embeddings) == 0:
        return None
    query = F.normalize(query_embedding, dim=0)
    notes = F.normalize(note_embeddings, dim=1)
    similarities, indices = (notes @ query).topk(min(k, len(notes)))
    return indices, similarities
