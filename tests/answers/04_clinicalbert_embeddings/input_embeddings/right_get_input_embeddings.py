"""Uses get_input_embeddings and the buffered position ids; eval and back."""


def input_embeddings(model, input_ids):
    was = model.training
    model.eval()
    try:
        x = model.get_input_embeddings()(input_ids)
        x = x + model.embeddings.position_embeddings(model.embeddings.position_ids[:, : input_ids.shape[1]])
        x = x + model.embeddings.token_type_embeddings(torch.zeros_like(input_ids))
        return model.embeddings.dropout(model.embeddings.LayerNorm(x))
    finally:
        model.train(was)
