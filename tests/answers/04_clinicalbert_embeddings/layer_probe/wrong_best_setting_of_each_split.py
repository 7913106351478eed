"""
Mistake: the penalty of each split is the one that does best on its held-out rows.
Message: chosen by its held-out accuracy
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=10, test_size=0.25, random_state=seed)
    rows = []
    for layer, features in enumerate(features_by_layer):
        x, scores = np.asarray(features), []
        for train, test in splits.split(x, labels, groups):
            tried = []
            for c in (0.01, 0.1, 1.0, 10.0):
                probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
                tried.append(probe.fit(x[train], labels[train]).score(x[test], labels[test]))
            scores.append(max(tried))
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
