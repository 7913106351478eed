"""Mistake: A permutation from the global generator.
Message: seed
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    labels, groups = np.asarray(labels), np.asarray(groups)
    names = np.random.permutation(np.unique(groups))
    test = np.isin(groups, names[: len(names) // 4])
    rows = []
    for layer, x in enumerate(features_by_layer):
        x = np.asarray(x)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        rows.append((layer, probe.fit(x[~test], labels[~test]).score(x[test], labels[test])))
    return pd.DataFrame(rows, columns=["layer", "accuracy"])
