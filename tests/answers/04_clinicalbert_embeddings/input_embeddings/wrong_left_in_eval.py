"""Mistake: Leaves the model in evaluation mode.
Message: mode
"""


def input_embeddings(model, input_ids):
    model.eval()
    e = model.embeddings
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[: input_ids.shape[1]]
    return e.dropout(e.LayerNorm(total + e.token_type_embeddings.weight[0]))
