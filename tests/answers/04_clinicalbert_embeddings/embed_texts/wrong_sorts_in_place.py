"""Mistake: Sorts the caller's list.
Message: changed
"""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling not in ("mean", "cls"):
        raise ValueError(pooling)
    original = list(texts)
    texts.sort(key=len)
    place = {t: i for i, t in enumerate(texts)}
    vectors = torch.zeros(len(texts), model.config.hidden_size, dtype=model.dtype)
    training = model.training
    model.eval()
    with torch.no_grad():
        for i in range(0, len(texts), batch_size):
            batch = tokenizer(texts[i : i + batch_size], padding=True, truncation=True,
                              max_length=model.config.max_position_embeddings, return_tensors="pt")
            h = model(**batch).last_hidden_state
            vectors[i : i + batch_size] = h[:, 0] if pooling == "cls" else mean_pool(h, batch["attention_mask"])
    model.train(training)
    return vectors[[place[t] for t in original]]
