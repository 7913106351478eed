"""Mistake: Leaves out a note equal to the query.
Message: equal to the query
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q, n = F.normalize(query_embedding, dim=0), F.normalize(note_embeddings, dim=1)
    values, indices = (n @ q).sort(descending=True)
    keep = values < 1 - 1e-6
    return indices[keep][:k], values[keep][:k]
