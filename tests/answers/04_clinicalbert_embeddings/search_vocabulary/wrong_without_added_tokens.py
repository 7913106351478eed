"""Mistake: Goes over vocab_size, so added tokens are missing.
Message: rows
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = [(n, tokenizer.convert_ids_to_tokens(n)) for n in range(tokenizer.vocab_size)]
    found = [
        (number, entry)
        for number, entry in entries
        if (id is None or number == id) and (token is None or entry == token) and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
