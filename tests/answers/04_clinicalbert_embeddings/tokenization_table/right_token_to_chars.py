"""Asks for the characters of each token."""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text)
    rows = []
    for position, number in enumerate(encoded["input_ids"]):
        span = encoded.token_to_chars(position)
        start, end = (0, 0) if span is None else (span.start, span.end)
        rows.append([number, tokenizer._convert_id_to_token(number)
                     if hasattr(tokenizer, "_convert_id_to_token")
                     else tokenizer.convert_ids_to_tokens(number), start, end])
    return pd.DataFrame(rows, columns="id token start end".split())
