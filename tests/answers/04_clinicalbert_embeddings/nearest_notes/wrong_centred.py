"""Mistake: Correlation instead of cosine.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding - query_embedding.mean(), dim=0)
    n = F.normalize(note_embeddings - note_embeddings.mean(1, keepdim=True), dim=1)
    similarities = n @ q
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
