"""Mistake: Segment 1.
Message: segment 1
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[1]
    return e.LayerNorm(total)
