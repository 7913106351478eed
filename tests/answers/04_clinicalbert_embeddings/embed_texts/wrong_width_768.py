"""Mistake: Writes BERT-base's width down.
Message: RuntimeError: shape mismatch: value
"""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling must be 'mean' or 'cls', got {pooling!r}")
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = torch.zeros(len(texts), 768, dtype=model.dtype)
    training = model.training
    model.eval()
    with torch.no_grad():
        for first in range(0, len(order), batch_size):
            chosen = order[first : first + batch_size]
            batch = tokenizer([texts[i] for i in chosen], padding=True, truncation=True,
                              max_length=model.config.max_position_embeddings, return_tensors="pt")
            states = model(**batch).last_hidden_state
            pooled = states[:, 0] if pooling == "cls" else mean_pool(states, batch["attention_mask"])
            vectors[chosen] = pooled
    model.train(training)
    return vectors
