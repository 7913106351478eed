"""Mistake: Compares with words split at spaces.
Message: ValueError: 'PAINLESS' is absent
"""


def word_vector(text, word, tokenizer, model, layer=-1):
    encoded = tokenizer(text, truncation=True, max_length=model.config.max_position_embeddings, return_tensors="pt")
    spelled = tokenizer.tokenize(word)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
    training = model.training
    model.eval()
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
    model.train(training)
    for i in range(len(tokens)):
        if spelled and tokens[i : i + len(spelled)] == spelled:
            return states[i : i + len(spelled)].mean(0)
    raise ValueError(f"{word!r} is absent")
