"""Mistake: Indexes a list of entries: id -1 finds the last, large ids fail.
Message: IndexError: list index out
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    entries = [t for t, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    chosen = list(range(len(entries))) if id is None else [id]
    found = [(n, entries[n]) for n in chosen
             if (token is None or entries[n] == token) and (contains is None or contains in entries[n])]
    return pd.DataFrame(found, columns=["id", "token"])
