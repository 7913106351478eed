"""Mistake: Position is missing.
Message: position
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total)
