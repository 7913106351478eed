"""Mistake: The epsilon is outside the root.
Message: input
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings.weight[:T] + e.token_type_embeddings.weight[0]
    return (total - total.mean(-1, keepdim=True)) / (total.std(-1, unbiased=False, keepdim=True) + e.LayerNorm.eps) * e.LayerNorm.weight + e.LayerNorm.bias
