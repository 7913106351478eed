"""Mistake: Looks every piece up from the beginning, so repeated words get the first one's place.
Message: twice
"""


def tokenization_table(text, tokenizer):
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids = encoded["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    starts = [text.find(t.removeprefix("##")) if t not in ("[CLS]", "[SEP]") else 0 for t in tokens]
    ends = [s + len(t.removeprefix("##")) if t not in ("[CLS]", "[SEP]") else 0 for s, t in zip(starts, tokens)]
    return pd.DataFrame({"id": ids, "token": tokens, "start": starts, "end": ends})
