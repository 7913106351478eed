"""Mistake: Always single precision.
Message: dtype
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total).float()
