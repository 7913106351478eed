def fit_preprocessor(train_static: pd.DataFrame, train_events: pd.DataFrame) -> object:
    """Fit scaling and one-hot coding on training patients.

    Returns an object with transform(static, events) -> (float32 (N, S), float32 (M, E)).
    """

    ### BEGIN SOLUTION
    def columns(numbers: list[str], categories: list[str]) -> ColumnTransformer:
        onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts = [("numbers", StandardScaler(), numbers), ("categories", onehot, categories)]
        return ColumnTransformer(parts, sparse_threshold=0)

    numbers = train_static.select_dtypes("number").columns.tolist()
    categories = [c for c in train_static.columns if c not in numbers]

    class Preprocessor:
        static = columns(numbers, categories).fit(train_static)
        events = columns(["minutes_since_admission"], ["event_type"]).fit(train_events)

        def transform(self, static: pd.DataFrame, events: pd.DataFrame) -> tuple:
            parts = self.static.transform(static), self.events.transform(events)
            return tuple(np.asarray(part, dtype=np.float32) for part in parts)

    return Preprocessor()
    ### END SOLUTION