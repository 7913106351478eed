"""A note at a time, sorted in Python."""


def nearest_notes(query_embedding, note_embeddings, k):
    scored = []
    for index, note in enumerate(note_embeddings):
        length = query_embedding.norm() * note.norm()
        cosine = (query_embedding @ note / length) if length > 0 else torch.zeros((), dtype=note.dtype)
        scored.append((float(cosine), index, cosine))
    scored.sort(key=lambda item: -item[0])
    scored = scored[:k]
    indices = torch.tensor([i for _, i, _ in scored], dtype=torch.int64)
    return indices, torch.tensor([c for _, _, c in scored], dtype=query_embedding.dtype)
