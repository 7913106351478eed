"""Boolean masks of pandas."""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    vocab = pd.DataFrame(tokenizer.get_vocab().items(), columns=["token", "id"])[["id", "token"]]
    if id is not None:
        vocab = vocab[vocab["id"] == id]
    if token is not None:
        vocab = vocab[vocab["token"] == token]
    if contains is not None:
        vocab = vocab[vocab["token"].str.contains(contains, regex=False)]
    return vocab.sort_values("id").reset_index(drop=True)
