"""A loop with early continues; keeps the index of the vocabulary."""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    numbers, entries = [], []
    for number in range(len(tokenizer)):
        entry = tokenizer.convert_ids_to_tokens(number)
        if id is not None and id != number:
            continue
        if token is not None and token != entry:
            continue
        if contains is not None and entry.find(contains) < 0:
            continue
        numbers.append(number)
        entries.append(entry)
    return pd.DataFrame({"id": pd.Series(numbers, dtype="int64"), "token": pd.Series(entries, dtype="object")})
