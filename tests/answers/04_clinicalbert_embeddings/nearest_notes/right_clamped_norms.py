"""Norms with a floor."""


def nearest_notes(query_embedding, note_embeddings, k):
    dots = note_embeddings @ query_embedding
    lengths = note_embeddings.norm(dim=-1) * query_embedding.norm()
    top = torch.topk(dots / lengths.clamp_min(1e-12), k=min(k, note_embeddings.shape[0]))
    return top.indices, top.values
