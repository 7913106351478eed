"""A callable object that compares whole frames with pandas."""

class _Audit:
    def __init__(self, tolerance=1e-9):
        self.tolerance = tolerance

    def __call__(self, build, events, static, train, *, window_minutes=2880, known_late=()):
        train = pd.Index(train)
        base = build(events.copy(), static.copy(), train)
        blank = static.copy()
        blank[list(known_late)] = np.nan
        early = build(events.drop(events.index[[]]).loc[lambda d: d.minutes_since_admission.lt(window_minutes)], blank, train)
        alone = build(events.loc[events.stay_id.isin(train)], static.loc[static.index.intersection(train)], train)
        future = self.compare(base, early)
        split = self.compare(base.loc[base.index.isin(train)], alone)
        names = list(base.columns) + [c for c in early.columns.union(alone.columns) if c not in base.columns]
        pairs = [(c, k) for c in names for k, found in (("future", future), ("split", split)) if c in found]
        return pd.DataFrame.from_records(pairs, columns=["column", "knows"])

    def compare(self, a, b):
        found = set(a.columns) ^ set(b.columns)
        both = [c for c in a.columns if c in b.columns]
        x = a[both].astype(float)
        y = b[both].astype(float).reindex(x.index)
        top = pd.concat([x.abs(), y.abs()]).groupby(level=0).max().reindex(x.index)
        off = ((x - y).abs() > self.tolerance * top) | (x.isna() != y.isna())
        return found | set(off.columns[off.any()])


find_leaks = _Audit()
