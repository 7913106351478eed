"""Mistake: Dot products.
Message: dot product
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = query_embedding
    n = note_embeddings
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
