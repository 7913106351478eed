"""NumPy alone, a namedtuple-like closure.
"""

class _Fitted:
    def __init__(self, static, events):
        self.static = self._learn(static, list(static.columns))
        self.events = self._learn(events, ["minutes_since_admission", "event_type"])

    @staticmethod
    def _learn(frame, columns):
        numbers, groups = [], []
        for name in columns:
            column = frame[name]
            if column.dtype.kind in "iufc" if hasattr(column.dtype, "kind") else False:
                x = column.to_numpy(np.float64)
                numbers.append((name, x.mean(), x.std() if x.std() > 0 else 1.0))
            else:
                groups.append((name, np.unique(column.astype(str).to_numpy(dtype=str))))
        return numbers, groups

    @staticmethod
    def _code(frame, learned):
        numbers, groups = learned
        parts = [((frame[n].to_numpy(np.float64) - m) / s)[:, None] for n, m, s in numbers]
        parts += [frame[n].astype(str).to_numpy(dtype=str)[:, None] == known for n, known in groups]
        return np.hstack([p.astype(np.float32) for p in parts])

    def transform(self, static, events):
        return self._code(static, self.static), self._code(events, self.events)


def fit_preprocessor(train_static, train_events):
    return _Fitted(train_static, train_events)
