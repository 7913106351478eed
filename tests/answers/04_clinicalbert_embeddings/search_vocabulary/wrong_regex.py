"""Mistake: `contains` is a regular expression.
Message: literal
"""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    frame = pd.DataFrame(sorted((n, t) for t, n in tokenizer.get_vocab().items()), columns=["id", "token"])
    if id is not None:
        frame = frame[frame["id"] == id]
    if token is not None:
        frame = frame[frame["token"] == token]
    if contains is not None:
        frame = frame[frame["token"].str.contains(contains)]
    return frame
