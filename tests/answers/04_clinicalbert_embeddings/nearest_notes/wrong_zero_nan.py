"""Mistake: A zero vector gives nan.
Message: not-a-number
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = query_embedding / query_embedding.norm()
    n = note_embeddings / note_embeddings.norm(dim=1, keepdim=True)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
