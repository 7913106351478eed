"""Mistake: id and token are joined by or.
Message: rows
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = sorted((n, t) for t, n in tokenizer.get_vocab().items())
    found = [
        (number, entry)
        for number, entry in entries
        if ((id is None and token is None) or number == id or entry == token) and (True) and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
