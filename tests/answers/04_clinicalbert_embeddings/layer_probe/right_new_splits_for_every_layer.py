"""Every layer draws splits of its own from the seed."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    rng = np.random.default_rng(seed)
    y, groups = np.asarray(labels), np.asarray(groups)
    accuracies = []
    for x in map(np.asarray, features_by_layer):
        hits = []
        for _ in range(6):
            chosen = rng.choice(np.unique(groups), size=len(np.unique(groups)) // 4, replace=False)
            test = np.isin(groups, chosen)
            probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            hits.append(probe.fit(x[~test], y[~test]).score(x[test], y[test]))
        accuracies.append(np.mean(hits))
    return pd.DataFrame({"layer": range(len(accuracies)), "accuracy": accuracies})
