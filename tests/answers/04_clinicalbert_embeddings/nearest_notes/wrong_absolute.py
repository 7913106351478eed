"""Mistake: Absolute values, so an opposite note looks equal.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = (n @ q).abs()
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
