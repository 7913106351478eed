"""Mistake: A support vector machine with a curved border.
Message: not a linear one
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.svm import SVC
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=8, test_size=0.25, random_state=seed)
    rows = []
    for layer, x in enumerate(features_by_layer):
        x = np.asarray(x)
        scores = []
        for train, test in splits.split(x, labels, groups):
            probe = make_pipeline(StandardScaler(), SVC(C=5.0))
            probe.fit(x[train], labels[train])
            scores.append(probe.score(x[test], labels[test]))
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
