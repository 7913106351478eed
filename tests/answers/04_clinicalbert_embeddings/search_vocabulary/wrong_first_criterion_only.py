"""Mistake: Only the first criterion given counts.
Message: rows
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = sorted((n, t) for t, n in tokenizer.get_vocab().items())
    if id is not None:
        found = [(n, t) for n, t in entries if n == id]
    elif token is not None:
        found = [(n, t) for n, t in entries if t == token]
    elif contains is not None:
        found = [(n, t) for n, t in entries if contains in t]
    else:
        found = entries
    return pd.DataFrame(found, columns=["id", "token"])
