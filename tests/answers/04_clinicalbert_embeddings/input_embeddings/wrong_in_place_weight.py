"""Mistake: Adds the segment to the matrix in place.
Message: changed
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    e.word_embeddings.weight.data += e.token_type_embeddings.weight.data[0]
    return e.LayerNorm(e.word_embeddings(input_ids) + e.position_embeddings.weight[: input_ids.shape[1]])
