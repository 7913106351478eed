"""Mistake: Cosine distances.
Message: distance
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = 1 - n @ q
    values, indices = similarities.topk(min(k, len(n)), largest=False)
    return indices, values
