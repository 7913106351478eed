"""Mistake: Special tokens are nan, so positions become floats.
Message: integers
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [a if b else np.nan for a, b in encoded["offset_mapping"]]
    ends = [b for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
