"""Plain loops and dictionaries; None for missing; all futures first, then all splits."""

def find_leaks(build_features, events, static, train_ids, *, window_minutes=2880, known_late=()):
    import math

    def table(ev, st):
        frame = build_features(ev.copy(), st.copy(), ids[:])
        return {c: {i: float(v) for i, v in frame[c].items()} for c in frame.columns}, list(frame.columns)

    def differ(x, y):
        if math.isnan(x) or math.isnan(y):
            return math.isnan(x) != math.isnan(y)
        return abs(x - y) > 1e-9 * max(abs(x), abs(y))

    ids = list(train_ids)
    late_gone = static.copy()
    for column in known_late:
        late_gone[column] = None
    keep = set(int(i) for i in ids)
    full, order = table(events.copy(), static.copy())
    past, order2 = table(events.query("minutes_since_admission < @window_minutes"), late_gone)
    own, order3 = table(
        events.loc[[s in keep for s in events["stay_id"]]], static.loc[[i in keep for i in static.index]]
    )
    out = {"column": [], "knows": []}
    for knows, other, stays in (("future", past, static.index), ("split", own, list(keep))):
        for column in dict.fromkeys(order + order2 + order3):
            if column not in full and column not in other:
                continue
            if (column in full) ^ (column in other) or any(
                differ(full[column].get(i, math.nan), other[column].get(i, math.nan)) for i in stays
            ):
                out["column"].append(column)
                out["knows"].append(knows)
    return pd.DataFrame(out)
