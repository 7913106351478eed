"""Mistake: A row for each split.
Message: layers
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    labels = np.asarray(labels)
    rows = []
    for layer, features in enumerate(features_by_layer):
        features = np.asarray(features)
        for train, test in GroupKFold(4).split(features, labels, groups):
            score = classifier.fit(features[train], labels[train]).score(features[test], labels[test])
            rows.append({"layer": layer, "accuracy": score})
    return pd.DataFrame(rows)
