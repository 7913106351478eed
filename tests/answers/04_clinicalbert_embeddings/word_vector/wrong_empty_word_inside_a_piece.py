"""Mistake: An empty word is asked for, and found between two signs of one piece.
Message: empty word
"""


def word_vector(text: str, word: str, tokenizer, model: nn.Module, layer: int = -1) -> torch.Tensor:
    """Vector ``(D,)`` of the first whole-word occurrence of ``word``, the mean over its pieces."""
    beside = r"[^\W_]"  # a letter or a digit
    found = re.search(rf"(?<!{beside}){re.escape(word)}(?!{beside})", text, flags=re.IGNORECASE)
    if found is None:
        raise ValueError(f"{word!r} does not occur as a whole word in {text[:60]!r}")
    limit = model.config.max_position_embeddings
    encoded = tokenizer(
        text,
        truncation=True,
        max_length=limit,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = encoded.pop("offset_mapping")[0].tolist()
    pieces = [i for i, (a, b) in enumerate(offsets) if a < found.end() and b > found.start()]
    if not pieces:
        raise ValueError(
            f"{word!r} lies behind the first {limit} tokens, where the text is cut off"
        )
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            states = model(**encoded.to(model.device), output_hidden_states=True).hidden_states
    finally:
        model.train(training)
    return states[layer][0, pieces].mean(0).cpu()
