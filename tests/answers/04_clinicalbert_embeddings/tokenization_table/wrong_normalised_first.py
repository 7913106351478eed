"""Mistake: Letters with marks are joined first, so that the positions shift.
Message: further case
"""


def tokenization_table(text: str, tokenizer) -> pd.DataFrame:
    """Table of the tokens of a text: columns ``id``, ``token``, ``start``, ``end``, a row per token."""
    import unicodedata

    text = unicodedata.normalize("NFC", text)
    encoded = tokenizer(text, return_offsets_mapping=True)
    starts, ends = zip(*encoded["offset_mapping"], strict=True)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    return pd.DataFrame({"id": encoded["input_ids"], "token": tokens, "start": starts, "end": ends})
