"""Mistake: The token is the piece of text, without ##.
Message: ##
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = [text[a:b] if b else tokenizer.convert_ids_to_tokens(i) for i, (a, b) in zip(ids, encoded["offset_mapping"])]
    starts = [a for a, _ in encoded["offset_mapping"]]
    ends = [b for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
