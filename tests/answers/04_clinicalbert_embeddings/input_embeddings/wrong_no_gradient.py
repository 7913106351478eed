"""Mistake: Detached from the weights.
Message: gradient
"""


@torch.no_grad()
def input_embeddings(model, input_ids):
    e = model.embeddings
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[: input_ids.shape[1]]
    return e.LayerNorm(total + e.token_type_embeddings.weight[0])
