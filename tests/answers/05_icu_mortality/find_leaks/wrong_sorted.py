"""Mistake: sorted by name
Message: order
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
        a, b = before.to_numpy(dtype=float), after.reindex(before.index).to_numpy(dtype=float)
        same = np.abs(a - b) <= 1e-9 * np.maximum(np.abs(a), np.abs(b))
        return bool((~(same | (np.isnan(a) & np.isnan(b)))).any())

    train_ids = list(train_ids)
    full = build_features(events.copy(), static.copy(), list(train_ids))
    past = events[events["minutes_since_admission"] < window_minutes].copy()
    then = build_features(past, static.assign(**{c: np.nan for c in known_late}), list(train_ids))
    own_events = events[events["stay_id"].isin(train_ids)].copy()
    alone = build_features(own_events, static[static.index.isin(train_ids)].copy(), list(train_ids))
    rows = []
    columns = [*full.columns, *then.columns.difference(full.columns)]
    columns += [c for c in alone.columns if c not in columns]
    for column in columns:
        for knows, other, stays in (("future", then, full.index), ("split", alone, train_ids)):
            if (column in full) != (column in other):
                rows.append((column, knows))
            elif column in full and changed(full[column].reindex(stays), other[column]):
                rows.append((column, knows))
    return pd.DataFrame(sorted(rows), columns=["column", "knows"])
