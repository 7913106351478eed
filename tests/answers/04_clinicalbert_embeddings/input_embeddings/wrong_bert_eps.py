"""Mistake: The epsilon of BERT-base written down.
Message: input
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
    return F.layer_norm(total, (total.shape[-1],), e.LayerNorm.weight, e.LayerNorm.bias, 1e-12)
