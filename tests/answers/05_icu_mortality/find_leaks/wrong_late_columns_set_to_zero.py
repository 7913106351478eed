"""
Mistake: known_late columns are set to 0, not to missing.
Message: missing is missing
"""

def find_leaks(
    build_features: Callable,
    events: pd.DataFrame,
    static: pd.DataFrame,
    train_ids: Iterable,
    *,
    window_minutes: float = 2880,
    known_late: Iterable = (),
) -> pd.DataFrame:
    """Audit a feature builder by experiment: which columns know the future, which the split?

    events: one row per event, with stay_id and minutes_since_admission; static: indexed by stay_id.
    Returns a DataFrame with the columns column and knows ("future" or "split").
    """
    def changed(before: pd.Series, after: pd.Series) -> bool:
        a, b = (column.to_numpy(dtype=float, na_value=np.nan) for column in (before, after))
        return not np.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True).all()

    train_ids, known_late = list(train_ids), list(known_late)
    past = events[events["minutes_since_admission"] < window_minutes]
    known = static.assign(**dict.fromkeys(known_late, 0))
    own, own_static = events["stay_id"].isin(train_ids), static.index.isin(train_ids)
    full, then, alone = (
        build_features(e.copy(), s.copy(), train_ids.copy())
        for e, s in ((events, static), (past, known), (events[own], static[own_static]))
    )
    rows = []
    for column in dict.fromkeys([*full, *then, *alone]):
        for knows, other, stays in (("future", then, full.index), ("split", alone, train_ids)):
            pair = [table[column].reindex(stays) for table in (full, other) if column in table]
            if len(pair) == 1 or (pair and changed(*pair)):
                rows.append((column, knows))
    return pd.DataFrame(rows, columns=["column", "knows"])
