"""LayerNorm from its formula."""


def input_embeddings(model, input_ids):
    e, norm = model.embeddings, model.embeddings.LayerNorm
    B, T = input_ids.shape
    x = F.embedding(input_ids, e.word_embeddings.weight)
    x = x + e.position_embeddings.weight[None, :T] + e.token_type_embeddings.weight[:1]
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias
