"""Mistake: numbers and categories stay in the order of the columns
Message: the static features of the training stays
"""

class Coder:
    def __init__(self, static, events):
        self.parts = [self.learn(static), self.learn(events[["minutes_since_admission", "event_type"]])]

    def learn(self, frame):
        numbers, blocks = [], []
        for name in frame:
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column):
                numbers.append((name, float(column.mean()), float(column.std(ddof=0)) or 1.0))
            else:
                blocks.append((name, sorted(column.unique())))
        return numbers, blocks

    def code(self, frame, part):
        numbers, blocks = part
        if len(numbers) > 1:
            numbers, swap = numbers[::-1], True
        out = [(frame[n].to_numpy(float) - mean) / std for n, mean, std in numbers]
        for name, values in blocks:
            out += [(frame[name] == v).to_numpy(float) for v in values]
        return np.stack(out, axis=1).astype("float32")

    def transform(self, static, events):
        return self.code(static, self.parts[0]), self.code(events, self.parts[1])


def fit_preprocessor(train_static, train_events):
    return Coder(train_static, train_events)
