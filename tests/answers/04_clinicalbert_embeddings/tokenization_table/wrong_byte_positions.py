"""Mistake: Positions count UTF-8 bytes.
Message: start
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [len(text[:a].encode()) for a, _ in encoded["offset_mapping"]]
    ends = [len(text[:b].encode()) for _, b in encoded["offset_mapping"]]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
