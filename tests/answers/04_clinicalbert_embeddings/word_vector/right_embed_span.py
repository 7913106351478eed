"""finditer and a generator of candidates."""


def word_vector(text, word, tokenizer, model, layer=-1):
    def whole(found):
        around = text[max(found.start() - 1, 0) : found.start()] + text[found.end() : found.end() + 1]
        return not any(character.isalnum() for character in around)

    if word == "":
        raise ValueError("an empty word ('') has no vector")
    candidates = re.finditer("(?=(" + re.escape(word) + "))", text, re.IGNORECASE)
    spans = []
    for found in candidates:
        a, b = found.span(1)
        around = text[max(a - 1, 0) : a] + text[b : b + 1]
        if not any(character.isalnum() for character in around):
            spans.append((a, b))
    if not spans:
        raise ValueError(f"{word} not found")
    a, b = spans[0]
    encoded = tokenizer(text, truncation=True, max_length=model.config.max_position_embeddings,
                        return_offsets_mapping=True)
    keep = [i for i, (s, e) in enumerate(encoded["offset_mapping"]) if e > s and s < b and e > a]
    if len(keep) == 0:
        raise ValueError(f"{word} lies beyond the model's positions")
    ids = torch.tensor([encoded["input_ids"]])
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            output = model(ids, output_hidden_states=True)
    finally:
        model.train(was_training)
    return output.hidden_states[layer][0][keep].mean(0).clone()
