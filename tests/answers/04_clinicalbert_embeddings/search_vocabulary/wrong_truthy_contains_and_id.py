"""Mistake: An id of 0 together with other criteria is ignored.
Message: id=0
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = sorted((n, t) for t, n in tokenizer.get_vocab().items())
    found = [
        (number, entry)
        for number, entry in entries
        if (number == id if id else True) and (token is None or entry == token) and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
