"""Mistake: Always leaves out the first hit.
Message: a note equal to the query
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.sort(descending=True)
    return indices[1 : k + 1], values[1 : k + 1]
