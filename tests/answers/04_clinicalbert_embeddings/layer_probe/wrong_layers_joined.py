"""Mistake: All layers up to this one joined.
Message: the layers do not differ
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=6, test_size=0.25, random_state=seed)
    rows = []
    for layer, features in enumerate(features_by_layer):
        features = np.asarray(features)
        features = np.concatenate([np.asarray(f) for f in features_by_layer], axis=1)
        scores = []
        for train, test in splits.split(features, labels, groups):
            classifier.fit(features[train], labels[train])
            scores.append(classifier.score(features[test], labels[test]))
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
