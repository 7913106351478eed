"""Mistake: Sinusoidal positions instead of the learned ones.
Message: input
"""


def input_embeddings(model, input_ids):
    e, D = model.embeddings, model.config.hidden_size
    p = torch.arange(input_ids.shape[1]).unsqueeze(1)
    angle = p / 10000 ** (torch.arange(0, D, 2) / D)
    code = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :D].to(e.LayerNorm.weight.dtype)
    return e.LayerNorm(e.word_embeddings(input_ids) + code + e.token_type_embeddings.weight[0])
