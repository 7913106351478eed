"""Sorted by tokens, padded by hand, inference mode."""


def embed_texts(texts, tokenizer, model, batch_size=32, pooling="mean"):
    if pooling not in ("mean", "cls"):
        raise ValueError(f"unknown pooling {pooling}")
    rows = [tokenizer(t, truncation=True, max_length=model.config.max_position_embeddings)["input_ids"]
            for t in texts]
    out = torch.zeros((len(texts), model.config.hidden_size), dtype=next(model.parameters()).dtype)
    order = np.argsort([len(r) for r in rows], kind="stable")
    mode = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size].tolist()
                longest = max(len(rows[i]) for i in chosen)
                ids = torch.tensor([rows[i] + [tokenizer.pad_token_id] * (longest - len(rows[i])) for i in chosen])
                mask = torch.tensor([[1] * len(rows[i]) + [0] * (longest - len(rows[i])) for i in chosen])
                states = model(ids, attention_mask=mask).last_hidden_state
                if pooling == "cls":
                    vectors = states[:, 0]
                else:
                    vectors = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
                out[chosen] = vectors.to(out.dtype)
    finally:
        model.train(mode)
    return out.clone()
