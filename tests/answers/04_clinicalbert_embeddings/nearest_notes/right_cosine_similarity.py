"""torch's cosine_similarity and argsort."""


def nearest_notes(query_embedding, note_embeddings, k):
    similarities = F.cosine_similarity(query_embedding.unsqueeze(0), note_embeddings, dim=1)
    order = torch.argsort(similarities, descending=True)[:k]
    return order, similarities[order]
