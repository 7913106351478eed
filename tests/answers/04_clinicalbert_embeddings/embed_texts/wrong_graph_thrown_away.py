"""Mistake: The graph is built and thrown away at the end.
Message: computed with gradients
"""


def embed_texts(
    texts: list[str], tokenizer, model: nn.Module, batch_size: int = 32, pooling: str = "mean"
) -> torch.Tensor:
    """Vectors of texts, in their order.  ``N`` texts -> ``(N, D)`` on the CPU, without gradient."""
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling must be 'mean' or 'cls', got {pooling!r}")
    weight = model.embeddings.word_embeddings.weight
    vectors = torch.zeros(len(texts), model.config.hidden_size, dtype=weight.dtype)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    limit = model.config.max_position_embeddings
    training = model.training
    model.eval()
    try:
        with torch.enable_grad():
            for first in range(0, len(order), batch_size):
                chosen = order[first : first + batch_size]
                batch = tokenizer(
                    [texts[i] for i in chosen],
                    padding=True,
                    truncation=True,
                    max_length=limit,
                    return_tensors="pt",
                ).to(weight.device)
                states = model(**batch).last_hidden_state  # (B, T, D)
                if pooling == "cls":
                    vectors[chosen] = states[:, 0].cpu()
                else:
                    vectors[chosen] = mean_pool(states, batch["attention_mask"]).cpu()
    finally:
        model.train(training)
    return vectors.detach()
