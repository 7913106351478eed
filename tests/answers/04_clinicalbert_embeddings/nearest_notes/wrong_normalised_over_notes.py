"""Mistake: Normalises over the notes instead of the width.
Message: k=3 of 9 notes: the similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=0)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
