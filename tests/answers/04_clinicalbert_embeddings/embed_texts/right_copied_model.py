"""Runs a copy of the model, so nothing has to be put back."""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    import copy

    if pooling not in ("mean", "cls"):
        raise ValueError("pooling is 'mean' or 'cls'")
    encoder = copy.deepcopy(model).eval()
    pieces = []
    for i in range(0, len(texts), batch_size):
        batch = tokenizer(list(texts[i : i + batch_size]), padding="longest", truncation="longest_first",
                          max_length=encoder.config.max_position_embeddings, return_tensors="pt")
        h = encoder(**batch, output_hidden_states=True).hidden_states[-1]
        pieces.append((h[:, 0] if pooling == "cls" else mean_pool(h, batch.attention_mask)).detach())
    return torch.cat(pieces) if pieces else torch.zeros(0, encoder.config.hidden_size, dtype=encoder.dtype)
