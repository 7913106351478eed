"""Mistake: Positions from 1, as RoBERTa counts.
Message: position
"""


def input_embeddings(model, input_ids):
    e = model.embeddings
    T = input_ids.shape[1]
    total = e.word_embeddings(input_ids) + e.position_embeddings((torch.arange(T) + 1).clamp(max=len(e.position_embeddings.weight) - 1)) + e.token_type_embeddings.weight[0]
    return e.LayerNorm(total)
