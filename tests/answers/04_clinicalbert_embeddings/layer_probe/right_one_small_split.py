"""One split that holds a fifth of the groups back."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=seed)
    rows = []
    for layer, x in enumerate(features_by_layer):
        x = np.asarray(x)
        scores = []
        for train, test in splits.split(x, labels, groups):
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
            probe.fit(x[train], labels[train])
            scores.append(probe.score(x[test], labels[test]))
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
