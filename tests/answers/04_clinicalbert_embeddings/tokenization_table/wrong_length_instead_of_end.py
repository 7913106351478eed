"""Mistake: The fourth column holds the length of the piece.
Message: start:end
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [a for a, _ in encoded["offset_mapping"]]
    ends = [b - a for a, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
