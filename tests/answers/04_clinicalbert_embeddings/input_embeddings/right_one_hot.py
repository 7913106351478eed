"""Embedding as a product with one-hot rows."""


def input_embeddings(model, input_ids):
    e = model.embeddings
    table = e.word_embeddings.weight
    x = F.one_hot(input_ids, len(table)).to(table.dtype) @ table
    x = x + e.position_embeddings.weight[: input_ids.shape[1]]
    return e.LayerNorm(x + e.token_type_embeddings.weight[0])
