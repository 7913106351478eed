"""A boolean mask over tokens and a masked mean."""


def word_vector(text, word, tokenizer, model, layer=-1):
    pattern = r"(?<![^\W_])" + re.escape(word) + r"(?![^\W_])"
    match = re.compile(pattern, re.I).search(text) if word else None
    if match is None:
        raise ValueError("no word " + repr(word))
    batch = tokenizer([text], return_tensors="pt", truncation=True, return_offsets_mapping=True,
                      max_length=model.config.max_position_embeddings, return_special_tokens_mask=True)
    offsets, special = batch.pop("offset_mapping")[0], batch.pop("special_tokens_mask")[0].bool()
    inside = (offsets[:, 0] >= match.start()) & (offsets[:, 1] <= match.end()) & ~special
    if not inside.any():
        raise ValueError(f"{word} is beyond the last token")
    before = model.training
    try:
        with torch.no_grad():
            states = model.eval()(**batch, output_hidden_states=True).hidden_states[layer][0]
    finally:
        model.train(before)
    return states[inside].mean(0)
