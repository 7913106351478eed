"""Mistake: Returns None when nothing is found.
Message: DataFrame
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = sorted((n, t) for t, n in tokenizer.get_vocab().items())
    found = [
        (number, entry)
        for number, entry in entries
        if (id is None or number == id) and (token is None or entry == token) and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"]) if found else None
