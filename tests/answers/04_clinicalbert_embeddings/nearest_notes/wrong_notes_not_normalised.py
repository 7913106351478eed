"""Mistake: Only the query is normalised.
Message: k=3 of 9 notes: the similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = note_embeddings
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
