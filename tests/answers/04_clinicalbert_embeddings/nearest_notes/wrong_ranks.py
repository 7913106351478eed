"""Mistake: Ranks of the notes instead of their indices.
Message: k=3 of 9 notes: the similarities of the
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return torch.arange(len(values)), values
