"""Mistake: Only the words, normalised.
Message: missing
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids)
    return e.LayerNorm(total)
