"""Mistake: Fails on an empty list.
Message: ValueError: torch.cat(): expected a
"""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling not in ("mean", "cls"):
        raise ValueError(pooling)
    training = model.training
    model.eval()
    parts = []
    with torch.no_grad():
        for i in range(0, len(texts), batch_size):
            batch = tokenizer(texts[i : i + batch_size], padding=True, truncation=True,
                              max_length=model.config.max_position_embeddings, return_tensors="pt")
            h = model(**batch).last_hidden_state
            parts.append(h[:, 0] if pooling == "cls" else mean_pool(h, batch["attention_mask"]))
    model.train(training)
    return torch.cat(parts)
