"""Mistake: The best k, but from small to large.
Message: most similar
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices.flip(0), values.flip(0)
