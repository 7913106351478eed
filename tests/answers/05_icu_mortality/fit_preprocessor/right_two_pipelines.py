"""Column selectors by dtype and a namespace with a lambda."""

from sklearn.compose import make_column_selector, make_column_transformer


def fit_preprocessor(train_static, train_events):
    def coder():
        return make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include="number")),
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
            sparse_threshold=0.0,
        )

    keep = ["minutes_since_admission", "event_type"]
    first, second = coder().fit(train_static), coder().fit(train_events[keep])
    from types import SimpleNamespace

    return SimpleNamespace(
        transform=lambda static, events: [
            first.transform(static).astype(np.float32), second.transform(events[keep]).astype(np.float32)
        ]
    )
