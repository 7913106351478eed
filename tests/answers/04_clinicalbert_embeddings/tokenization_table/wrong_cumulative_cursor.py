"""Mistake: A running cursor over stripped pieces: wrong at unknown words and white space.
Message: start
"""


def tokenization_table(text, tokenizer):
    ids = tokenizer(text)["input_ids"]
    rows, place = [], 0
    for number, token in zip(ids, tokenizer.convert_ids_to_tokens(ids)):
        if token in tokenizer.all_special_tokens:
            rows.append((number, token, 0, 0))
            continue
        piece = token.removeprefix("##")
        start = text.find(piece, place)
        place = start + len(piece)
        rows.append((number, token, start, place))
    return pd.DataFrame(rows, columns=["id", "token", "start", "end"])
