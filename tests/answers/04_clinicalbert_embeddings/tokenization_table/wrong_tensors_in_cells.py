"""Mistake: The ids are tensors, as in the example one finds everywhere.
Message: tensor
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    ids = list(encoded["input_ids"][0])
    tokens = tokenizer.convert_ids_to_tokens([int(i) for i in ids])
    offsets = encoded["offset_mapping"][0].tolist()
    return pd.DataFrame(
        {"id": ids, "token": tokens, "start": [a for a, _ in offsets], "end": [b for _, b in offsets]}
    )
