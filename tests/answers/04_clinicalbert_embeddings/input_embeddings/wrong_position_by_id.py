"""Mistake: The position table is looked up by token id.
Message: the input of a small BERT (width 24, in
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings(input_ids % len(e.position_embeddings.weight)) + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total)
