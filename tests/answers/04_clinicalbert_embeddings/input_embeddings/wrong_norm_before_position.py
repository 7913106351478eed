"""Mistake: Normalises the words, then adds position and segment.
Message: input
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids)
    return e.LayerNorm(total) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
