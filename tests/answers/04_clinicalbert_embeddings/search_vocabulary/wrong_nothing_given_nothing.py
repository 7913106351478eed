"""Mistake: Without criteria the table is empty.
Message: without criteria
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    found = []
    if id is not None or token is not None or contains is not None:
        found = sorted((n, t) for t, n in tokenizer.get_vocab().items()
                       if (id is None or n == id) and (token is None or t == token)
                       and (contains is None or contains in t))
    return pd.DataFrame(found, columns=["id", "token"])
