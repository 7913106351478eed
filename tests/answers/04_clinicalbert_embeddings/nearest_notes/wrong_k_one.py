"""Mistake: Always one note.
Message: k=3 of 9 notes: expected 3
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(1)
    return indices, values
