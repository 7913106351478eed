"""Mistake: Zero vectors are dropped.
Message: a note whose vector is zero:
"""


def nearest_notes(query_embedding, note_embeddings, k):
    keep = torch.nonzero(note_embeddings.norm(dim=1) > 0)[:, 0]
    s = F.normalize(note_embeddings[keep], dim=1) @ F.normalize(query_embedding, dim=0)
    values, order = s.topk(min(k, len(s)))
    return keep[order], values
