"""Mistake: One row a word instead of one a token.
Message: rows
"""


def tokenization_table(text, tokenizer):
    rows = [(tokenizer.cls_token_id, "[CLS]", 0, 0)]
    for found in re.finditer(r"\w+|[^\w\s]", text):
        number = tokenizer.convert_tokens_to_ids(found[0])
        rows.append((number, found[0], found.start(), found.end()))
    rows.append((tokenizer.sep_token_id, "[SEP]", 0, 0))
    return pd.DataFrame(rows, columns=["id", "token", "start", "end"])
