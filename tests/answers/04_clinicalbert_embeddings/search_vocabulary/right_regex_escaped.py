"""A regular expression, but escaped; unsorted index kept."""


def search_vocabulary(tokenizer, *, id=None, token=None, contains=None):
    frame = pd.Series(tokenizer.get_vocab(), name="id").rename_axis("token").reset_index()[["id", "token"]]
    keep = np.ones(len(frame), dtype=bool)
    if id is not None:
        keep &= (frame.id == id).to_numpy()
    if token is not None:
        keep &= (frame.token == token).to_numpy()
    if contains is not None:
        keep &= frame.token.str.contains(re.escape(contains)).to_numpy()
    return frame[keep].sort_values("id")
