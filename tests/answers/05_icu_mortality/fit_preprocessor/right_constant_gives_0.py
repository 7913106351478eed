"""A column that is constant in training gives 0 whatever comes: as good as its difference."""


class _Columns:
    def __init__(self, frame, names):
        numeric = set(frame.select_dtypes("number"))
        self.numbers = [(n, frame[n].mean(), frame[n].std(ddof=0)) for n in names if n in numeric]
        self.groups = [(n, sorted(set(frame[n].astype(object)))) for n in names if n not in numeric]

    def code(self, frame):
        parts = []
        for name, mean, deviation in self.numbers:
            z = frame[name].to_numpy(dtype=float) - mean
            parts.append(z / deviation if deviation > 0 else np.zeros(len(z)))
        for name, known in self.groups:
            parts += [[float(v == k) for v in frame[name].astype(object)] for k in known]
        return np.array(parts, dtype=np.float32).T.copy()


class _Coder:
    def __init__(self, static, events):
        self.of_stays, self.of_events = static, events

    def transform(self, static, events):
        return [self.of_stays.code(static), self.of_events.code(events)]


def fit_preprocessor(train_static, train_events):
    names = ["minutes_since_admission", "event_type"]
    return _Coder(_Columns(train_static, list(train_static)), _Columns(train_events, names))
