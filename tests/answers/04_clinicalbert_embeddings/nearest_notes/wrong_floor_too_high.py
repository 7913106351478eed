"""Mistake: A floor under the lengths makes short vectors less similar.
Message: short vectors
"""


def nearest_notes(query_embedding, note_embeddings, k):
    lengths = note_embeddings.norm(dim=1) * query_embedding.norm()
    cosines = note_embeddings @ query_embedding / lengths.clamp(min=1e-6)
    similarities, indices = cosines.topk(min(k, len(cosines)))
    return indices, similarities
