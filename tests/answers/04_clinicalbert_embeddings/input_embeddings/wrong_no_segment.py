"""Mistake: Segment is missing.
Message: segment
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[:T]
    return e.LayerNorm(total)
