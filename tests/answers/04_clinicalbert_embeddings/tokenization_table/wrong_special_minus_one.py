"""Mistake: Special tokens get -1 instead of 0.
Message: [CLS]
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [a if b else -1 for a, b in encoded["offset_mapping"]]
    ends = [b if b else -1 for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
