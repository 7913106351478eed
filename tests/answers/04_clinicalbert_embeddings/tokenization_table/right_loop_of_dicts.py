"""A row at a time, tensors turned into numbers."""


def tokenization_table(text, tok):
    out = tok(text, return_tensors="pt", return_offsets_mapping=True)
    vocabulary = {number: entry for entry, number in tok.get_vocab().items()}
    rows = []
    for number, (start, end) in zip(out["input_ids"][0], out["offset_mapping"][0]):
        rows.append(dict(id=int(number), token=vocabulary[int(number)], start=int(start), end=int(end)))
    return pd.DataFrame(rows, columns=["id", "token", "start", "end"])
