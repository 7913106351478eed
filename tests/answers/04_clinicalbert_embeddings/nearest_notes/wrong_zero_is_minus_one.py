"""Mistake: Zero vectors get -1.
Message: similarities
"""


def nearest_notes(query_embedding, note_embeddings, k):
    q = F.normalize(query_embedding, dim=0)
    n = F.normalize(note_embeddings, dim=1)
    similarities = torch.where(note_embeddings.norm(dim=1) > 0, n @ q, -1.0).to(q.dtype)
    values, indices = similarities.topk(min(k, len(n)))
    return indices, values
