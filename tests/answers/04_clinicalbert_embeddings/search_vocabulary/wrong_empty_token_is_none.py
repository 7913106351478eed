"""Mistake: An empty token counts as not given.
Message: an empty text is a criterion
"""


def search_vocabulary(
    tokenizer, *, id: int | None = None, token: str | None = None, contains: str | None = None
) -> pd.DataFrame:
    """Entries of the vocabulary that meet all criteria given: columns ``id``, ``token``, by id."""
    entries = sorted((number, entry) for entry, number in tokenizer.get_vocab().items())
    found = [
        (number, entry)
        for number, entry in entries
        if (id is None or number == id)
        and (not token or entry == token)
        and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
