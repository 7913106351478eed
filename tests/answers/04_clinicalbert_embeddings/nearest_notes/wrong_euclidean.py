"""Mistake: Euclidean distances.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    distance = (note_embeddings - query_embedding).norm(dim=1)
    values, indices = distance.topk(min(k, len(distance)), largest=False)
    return indices, values
