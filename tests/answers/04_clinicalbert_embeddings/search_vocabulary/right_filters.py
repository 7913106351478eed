"""Builds a list of conditions first."""


def search_vocabulary(tokenizer, id=None, token=None, contains=None):
    conditions = []
    if id is not None:
        conditions.append(lambda n, t: n == id)
    if token is not None:
        conditions.append(lambda n, t: t == token)
    if contains is not None:
        conditions.append(lambda n, t: contains in t)
    rows = [(n, t) for t, n in tokenizer.get_vocab().items() if all(c(n, t) for c in conditions)]
    return pd.DataFrame(sorted(rows), columns=["id", "token"]).astype({"id": int})
