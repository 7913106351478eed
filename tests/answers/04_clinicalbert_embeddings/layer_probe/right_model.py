"""The model answer."""


def layer_probe(
    features_by_layer: list, labels: np.ndarray, groups: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Accuracy on held-out groups by layer.  A list of ``(N, F)`` -> columns ``layer``, ``accuracy``."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=10, test_size=0.25, random_state=seed)
    rows = []
    for layer, features in enumerate(features_by_layer):
        features = np.asarray(features)
        scores = [
            classifier.fit(features[train], labels[train]).score(features[test], labels[test])
            for train, test in splits.split(features, labels, groups)
        ]
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
