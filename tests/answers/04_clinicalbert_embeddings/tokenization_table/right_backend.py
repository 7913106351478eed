"""Works on the fast tokenizer below."""


def tokenization_table(text, tokenizer):
    encoding = tokenizer.backend_tokenizer.encode(text)
    table = pd.DataFrame({"id": encoding.ids, "token": encoding.tokens})
    table["start"] = [a for a, _ in encoding.offsets]
    table["end"] = [b for _, b in encoding.offsets]
    return table
