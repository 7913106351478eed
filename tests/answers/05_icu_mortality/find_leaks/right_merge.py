"""One long table, merged and grouped.
"""

def find_leaks(build_features, events, static, train_ids, *, window_minutes=2880, known_late=()):
    train_ids = list(train_ids)
    keep = set(train_ids)

    def melted(table, stays=None):
        table = table.copy()
        table.index = pd.Index(table.index, name="stay")
        if stays is not None:
            table = table[[i in stays for i in table.index]]
        return {(c, i): v for c in table for i, v in zip(table.index, table[c].astype("float64"))}, list(table)

    def compare(one, two):
        (a, columns), (b, others) = one, two
        names = columns + [c for c in others if c not in columns]
        bad = []
        for name in names:
            if name not in columns or name not in others:
                bad.append(name)
                continue
            for key in (k for k in a if k[0] == name):
                x, y = a[key], b.get(key, float("nan"))
                if x != x and y != y:
                    continue
                if not abs(x - y) <= 1e-9 * max(abs(x), abs(y)):
                    bad.append(name)
                    break
        return bad

    full = build_features(events.copy(), static.copy(), list(train_ids))
    blank = static.copy(deep=True)
    for column in known_late:
        blank[column] = None
    early = build_features(events.query("minutes_since_admission < @window_minutes"), blank, list(train_ids))
    mine = static.loc[[i for i in static.index if i in keep]]
    own = build_features(events[events.stay_id.map(keep.__contains__)], mine, list(train_ids))
    future = compare(melted(full), melted(early))
    split = compare(melted(full, keep), melted(own, keep))
    order = list(full) + [c for c in [*early, *own] if c not in full]
    rows = [{"column": c, "knows": k} for c in dict.fromkeys(order) for k, bad in (("future", future), ("split", split)) if c in bad]
    return pd.DataFrame.from_records(rows, columns=["column", "knows"])
