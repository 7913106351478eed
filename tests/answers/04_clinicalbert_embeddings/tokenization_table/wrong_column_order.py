"""Mistake: The columns come in another order.
Message: columns
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [a for a, _ in encoded["offset_mapping"]]
    ends = [b for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"token": tokens, "id": ids, "start": starts, "end": ends})
