"""Mistake: Multiplies by the root of the width, as in notebook 01.
Message: input
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) * model.config.hidden_size ** 0.5 + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total)
