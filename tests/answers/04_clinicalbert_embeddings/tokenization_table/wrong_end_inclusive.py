"""Mistake: end is the last character's position.
Message: end
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [a for a, _ in encoded["offset_mapping"]]
    ends = [max(b - 1, 0) for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
