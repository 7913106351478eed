"""Mistake: Strips the ## from the pieces.
Message: ##
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = [t.replace("##", "") for t in tokenizer.convert_ids_to_tokens(ids)]
    starts = [a for a, _ in encoded["offset_mapping"]]
    ends = [b for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
