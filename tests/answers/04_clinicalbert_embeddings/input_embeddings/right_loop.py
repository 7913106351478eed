"""A token at a time, functional LayerNorm with the configuration's eps."""


def input_embeddings(model, input_ids):
    weights = dict(model.embeddings.named_parameters())
    rows = []
    for row in input_ids.tolist():
        vectors = []
        for position, number in enumerate(row):
            total = (
                weights["word_embeddings.weight"][number]
                + weights["position_embeddings.weight"][position]
                + weights["token_type_embeddings.weight"][0]
            )
            vectors.append(total)
        rows.append(torch.stack(vectors))
    x = torch.stack(rows)
    return F.layer_norm(x, (model.config.hidden_size,), weights["LayerNorm.weight"],
                        weights["LayerNorm.bias"], model.config.layer_norm_eps)
