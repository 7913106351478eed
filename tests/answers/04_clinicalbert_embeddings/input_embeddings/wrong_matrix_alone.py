"""Mistake: The embedding matrix is taken for the input.
Message: matrix
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids)
    return total
