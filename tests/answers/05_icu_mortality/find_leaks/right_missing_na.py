"""pd.NA for missing; np.isclose without an absolute tolerance."""

def find_leaks(build_features, events, static, train_ids, **options):
    train_ids = list(train_ids)
    window, late = options.get("window_minutes", 2880), options.get("known_late", ())
    full = build_features(events.copy(), static.copy(), list(train_ids)).astype("float64")
    blank = static.copy()
    for name in late:
        blank[name] = pd.Series(pd.NA, index=static.index, dtype="object")
    worlds = {
        "future": (events[~(events["minutes_since_admission"] >= window)].copy(), blank, full.index),
        "split": (events[np.isin(events["stay_id"], train_ids)].copy(), static[np.isin(static.index, train_ids)].copy(),
                  pd.Index(train_ids)),
    }
    tables = {k: build_features(e, s, list(train_ids)).astype("float64") for k, (e, s, _) in worlds.items()}
    found = []
    for name in [*full, *(c for t in tables.values() for c in t if c not in full)]:
        for knows, (_, _, stays) in worlds.items():
            other = tables[knows]
            a = full.get(name, pd.Series(dtype=float)).reindex(stays)
            b = other.get(name, pd.Series(dtype=float)).reindex(stays)
            gone = (name in full) != (name in other)
            close = np.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True)
            if gone or not close.all():
                found.append({"column": name, "knows": knows})
    return pd.DataFrame(found, columns=["column", "knows"]).drop_duplicates()
