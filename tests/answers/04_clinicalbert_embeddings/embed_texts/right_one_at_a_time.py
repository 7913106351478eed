"""Slow but right: never any padding."""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling == "mean":
        pool = lambda states: states.mean(0)
    elif pooling == "cls":
        pool = lambda states: states[0]
    else:
        raise ValueError(pooling)
    mode = model.training
    model.train(False)
    rows = []
    try:
        for one in texts:
            with torch.no_grad():
                ids = tokenizer(one, truncation=True, max_length=model.config.max_position_embeddings,
                                return_tensors="pt")
                rows.append(pool(model(**ids).last_hidden_state[0]))
    finally:
        model.train(mode)
    if not rows:
        return torch.empty(0, model.config.hidden_size, dtype=next(model.parameters()).dtype)
    return torch.stack(rows)
