"""Mistake: Fails when k is larger than N.
Message: RuntimeError
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(k)
    return indices, values
