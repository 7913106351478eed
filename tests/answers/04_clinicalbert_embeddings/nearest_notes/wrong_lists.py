"""Mistake: Lists instead of tensors.
Message: tensor
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices.tolist(), values.tolist()
