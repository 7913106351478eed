"""Mistake: Divides by the squared lengths.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = note_embeddings / note_embeddings.pow(2).sum(1, keepdim=True).clamp(min=1e-12)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
