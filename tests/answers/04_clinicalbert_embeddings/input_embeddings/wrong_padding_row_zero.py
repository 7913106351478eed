"""Mistake: Leaves the word out at padding.
Message: input
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) * (input_ids != 0).unsqueeze(-1) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total)
