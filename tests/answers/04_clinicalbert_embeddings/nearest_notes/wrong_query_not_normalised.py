"""Mistake: Only the notes are normalised.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = query_embedding
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
