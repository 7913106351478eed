"""Mistake: argsort twice gives ranks in note order.
Message: k=3 of 9 notes: the similarities of the
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = (similarities.sort(descending=True).values, similarities.argsort(descending=True).argsort())
    return indices[:k], values[:k]
