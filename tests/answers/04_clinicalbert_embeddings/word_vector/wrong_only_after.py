"""Mistake: Only the character after is looked at.
Message: part of another word
"""


def word_vector(text, word, tokenizer, model, layer=-1):
    pattern = re.escape(word) + r"(?![^\W_])"
    found = re.search(pattern, text, flags=re.IGNORECASE)
    if not word or found is None:
        raise ValueError(f"{word!r} is not a word of the text")
    encoded = tokenizer(text, truncation=True, max_length=model.config.max_position_embeddings,
                        return_offsets_mapping=True, return_tensors="pt")
    offsets = encoded.pop("offset_mapping")[0].tolist()
    pieces = [i for i, (a, b) in enumerate(offsets) if a < found.end() and b > found.start()]
    if not pieces:
        raise ValueError(f"{word!r} was truncated away")
    training = model.training
    model.eval()
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states
    model.train(training)
    return states[layer][0, pieces].mean(0)
