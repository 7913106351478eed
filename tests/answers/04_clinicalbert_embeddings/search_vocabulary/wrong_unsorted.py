"""Mistake: In the order of the dictionary.
Message: order
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    found = [
        (n, t)
        for t, n in sorted(tokenizer.get_vocab().items())
        if (id is None or n == id) and (token is None or t == token) and (contains is None or contains in t)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
