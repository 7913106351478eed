"""Characters to tokens one by one."""


def word_vector(text, word, tokenizer, model, layer=-1):
    if not word:
        raise ValueError("word is empty: ''")
    for start in range(len(text)):
        end = start + len(word)
        if text[start:end].lower() == word.lower() and (start == 0 or not text[start - 1].isalnum()) and (end == len(text) or not text[end].isalnum()):
            break
    else:
        raise ValueError(f"the word {word!r} is not in the text")
    batch = tokenizer(text, return_tensors="pt", truncation=True,
                      max_length=model.config.max_position_embeddings)
    tokens = []
    for c in range(start, end):
        t = batch.char_to_token(c)
        if t is not None and t not in tokens:
            tokens.append(t)
    if not tokens:
        raise ValueError(f"the word {word!r} was cut off")
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            hidden = model(**batch, output_hidden_states=True).hidden_states[layer]
    finally:
        model.train(mode)
    return torch.stack([hidden[0, t] for t in tokens]).mean(dim=0)
