"""Batches in the order given."""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling not in {"mean", "cls"}:
        raise ValueError("pooling must be mean or cls")
    was_training = model.training
    model.eval()
    parts = [torch.zeros(0, model.config.hidden_size, dtype=model.dtype)]
    try:
        with torch.no_grad():
            for i in range(0, len(texts), batch_size):
                batch = tokenizer(texts[i : i + batch_size], padding=True, truncation=True,
                                  max_length=model.config.max_position_embeddings, return_tensors="pt")
                h = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]
                parts.append(h[:, 0] if pooling == "cls" else mean_pool(h, batch["attention_mask"]))
    finally:
        model.train(was_training)
    return torch.cat(parts).cpu()
