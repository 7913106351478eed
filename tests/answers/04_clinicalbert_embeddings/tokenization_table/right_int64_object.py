"""Object columns of Python integers."""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    table = pd.DataFrame(index=range(len(encoded["input_ids"])), columns=["id", "token", "start", "end"])
    for i, (n, (a, b)) in enumerate(zip(encoded["input_ids"], encoded["offset_mapping"])):
        table.loc[i] = [n, tokenizer.convert_ids_to_tokens(n), a, b]
    return table
