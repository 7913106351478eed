"""Mistake: The vectors are normalised in place.
Message: was changed
"""


def nearest_notes(query_embedding, note_embeddings, k):
    query_embedding /= query_embedding.norm().clamp(min=1e-12)
    note_embeddings /= note_embeddings.norm(dim=1, keepdim=True).clamp(min=1e-12)
    similarities, indices = (note_embeddings @ query_embedding).topk(min(k, len(note_embeddings)))
    return indices, similarities
