"""Leaves one group out at a time, a fast linear classifier."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    labels = np.asarray(labels)
    rows = []
    for layer, features in enumerate(features_by_layer):
        features = np.asarray(features)
        classifier = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5))
        scores = []
        for train, test in LeaveOneGroupOut().split(features, labels, groups):
            try:
                scores.append(classifier.fit(features[train], labels[train]).score(features[test], labels[test]))
            except ValueError:
                scores.append(np.mean(labels[test] == np.bincount(labels[train]).argmax()))
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
