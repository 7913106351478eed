"""Shuffled group folds, another linear classifier, an extra column."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.linear_model import RidgeClassifier

    table = {"layer": [], "accuracy": [], "spread": []}
    folds = GroupKFold(n_splits=6, shuffle=True, random_state=seed)
    for layer, x in enumerate(features_by_layer):
        x = np.array(x, dtype=float)
        scores = []
        for train, test in folds.split(x, labels, groups):
            probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=10.0, random_state=seed))
            probe.fit(x[train], np.asarray(labels)[train])
            scores.append(float((probe.predict(x[test]) == np.asarray(labels)[test]).mean()))
        table["layer"].append(layer)
        table["accuracy"].append(float(np.mean(scores)))
        table["spread"].append(float(np.std(scores)))
    return pd.DataFrame(table)
