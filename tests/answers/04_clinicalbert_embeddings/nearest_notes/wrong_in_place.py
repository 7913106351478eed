"""Mistake: Normalises the notes in place.
Message: changed
"""


def nearest_notes(query_embedding, note_embeddings, k):
    note_embeddings /= note_embeddings.norm(dim=1, keepdim=True).clamp(min=1e-12)
    values, indices = (note_embeddings @ F.normalize(query_embedding, dim=0)).topk(min(k, len(note_embeddings)))
    return indices, values
