"""Mistake: Criteria are joined by or.
Message: rows
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = sorted((n, t) for t, n in tokenizer.get_vocab().items())
    if id is None and token is None and contains is None:
        return pd.DataFrame(entries, columns=["id", "token"])
    found = [(n, t) for n, t in entries if n == id or t == token or (contains is not None and contains in t)]
    return pd.DataFrame(found, columns=["id", "token"])
