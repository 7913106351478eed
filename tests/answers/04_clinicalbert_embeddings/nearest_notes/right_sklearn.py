"""scikit-learn's cosine_similarity."""


def nearest_notes(query_embedding, note_embeddings, k):
    from sklearn.metrics.pairwise import cosine_similarity

    similarity = torch.tensor(cosine_similarity(query_embedding[None].numpy(), note_embeddings.numpy())[0],
                              dtype=query_embedding.dtype)
    values, indices = similarity.sort(descending=True, stable=True)
    return indices[:k], values[:k]
