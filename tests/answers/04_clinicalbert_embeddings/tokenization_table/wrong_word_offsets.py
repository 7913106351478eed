"""Mistake: Every piece gets the span of its whole word.
Message: start:end
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text)
    ids = encoded["input_ids"]
    spans = [(0, 0) if w is None else tuple(encoded.word_to_chars(w)) for w in encoded.word_ids()]
    return pd.DataFrame({"id": ids, "token": tokenizer.convert_ids_to_tokens(ids),
                         "start": [a for a, _ in spans], "end": [b for _, b in spans]})
