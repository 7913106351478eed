"""Mistake: Raises when nothing is found.
Message: KeyError
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    vocab = tokenizer.get_vocab()
    if token is not None:
        number = vocab[token]
        found = [(number, token)] if id in (None, number) and (contains is None or contains in token) else []
    else:
        found = [(n, t) for n, t in sorted((n, t) for t, n in vocab.items())
                 if (id is None or n == id) and (contains is None or contains in t)]
    return pd.DataFrame(found, columns=["id", "token"])
